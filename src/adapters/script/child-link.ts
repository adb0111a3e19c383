/**
 * The child's end of the channel, as a type: what it asks and tells, what it is asked and told.
 * Relies on the messages alone, so that the child's parts need not know each other.
 */
import type { ScriptLink } from './script-link.ts';
import type { ChildNotice, ChildRequest, HostNotice, HostRequest } from './script-messages.ts';

/** The link that the script's side holds. */
export type ChildLink = ScriptLink<HostRequest, HostNotice, ChildRequest, ChildNotice>;
