/**
 * The JSON shapes of rules: what they are, what they did and why, scenes, dry runs.
 * Relies on ids alone; the gateway writes them, the client reads them, `--json` prints them.
 */
import type { PeerId } from './ids.ts';

/** Something about a rule's text that its author should know; lines and columns count from 1. */
export interface RuleNote {
  line: number;
  column: number;
  message: string;
}

/** `GET /rules`, one entry. Times are RFC 3339. */
export interface RuleInfo {
  /** The slug of its name, by which it is addressed. */
  rule: string;
  name: string;
  description: string | null;
  enabled: boolean;
  mode: 'single' | 'restart' | 'queued' | 'parallel';
  author: PeerId;
  /** Whether its author writes it as a member: then it may do no more than that member may. */
  ofMember: boolean;
  /** Why it is not in force though it may be enabled; null where it is. */
  notInForce: string | null;
  changed: string;
  /** Names of Things and peers that are not known yet. */
  unresolved: string[];
  /** The peers that watch for its triggers now, as far as it is known here. */
  watchedBy: PeerId[];
  /** How many executions run at this peer. */
  running: number;
  /** When it last fired at this peer; null where it did not, or that is no longer kept. */
  lastFired: string | null;
}

/** `GET /rules/{rule}`. */
export interface RuleDocument extends RuleInfo {
  /** As a person would write it, with names of Things where they are unambiguous. */
  yaml: string;
}

/** `PUT /rules`: what applying a document did. */
export interface AppliedRule {
  rule: string;
  name: string;
  /** `same`: it was so already, and nothing was written. */
  result: 'created' | 'changed' | 'same';
  warnings: RuleNote[];
}

/** One firing on the way to something, as `why` and `trace` show it. */
export interface LinkInfo {
  rule: string;
  firing: string;
  peer: PeerId;
  time: string;
}

/** A value that an expression used. */
export interface ValueSeen {
  /** As the expression says it: `hall-lux.illuminance`, `online(phone)`, `value(last-visit)`. */
  what: string;
  /** The Thing whose property it is; null for what is no property. */
  thing?: string | null;
  /** Absent where it was unknown. */
  value?: unknown;
  /** Present where whoever asks may not see the Thing: then there is no value, whether it was known or not. */
  hidden?: true;
  /** How old a last known value was that stood in for the live one, in milliseconds; null for a live value. */
  ageMs: number | null;
}

/** A condition with what it saw. */
export interface ConditionInfo {
  text: string;
  result: 'true' | 'false' | 'unknown' | 'error';
  values: ValueSeen[];
  /** What was missing, or what went wrong. */
  message: string | null;
}

/** One line of what an execution did. */
export interface StepInfo {
  /** Where in the rule: `2` is the third step, `2/c1/0` the first of its second choice. */
  path: string;
  time: string;
  what: 'done' | 'failed' | 'unknown' | 'continued' | 'timeout' | 'chosen' | 'round';
  thing: string | null;
  op: string | null;
  name: string | null;
  input?: unknown;
  /** As in `ValueSeen`. */
  hidden?: true;
  /** An error code. */
  code: string | null;
}

/** What fired. */
export interface TriggerInfo {
  kind: 'property' | 'event' | 'time' | 'peer' | 'thing' | 'manual';
  id: string;
  thing: string | null;
  peer: PeerId | null;
  name: string | null;
  value?: unknown;
  previous?: unknown;
  event?: unknown;
  /** As in `ValueSeen`. */
  hidden?: true;
  goes: 'online' | 'offline' | null;
}

/** How an execution ended. `not-run`: a condition was not true; `refused`: by its mode, its rate or a loop. */
export type ExecutionOutcome =
  | 'running'
  | 'done'
  | 'stopped'
  | 'failed'
  | 'cancelled'
  | 'superseded'
  | 'lost'
  | 'not-run'
  | 'refused';

/** One firing of a rule at the peer that ran it. */
export interface ExecutionInfo {
  firing: string;
  rule: string;
  name: string;
  peer: PeerId;
  started: string;
  ended: string | null;
  trigger: TriggerInfo;
  /** What led to the trigger, oldest first; empty where a person or a device began it. */
  chain: LinkInfo[];
  conditions: ConditionInfo[];
  steps: StepInfo[];
  outcome: ExecutionOutcome;
  /** Why it did not run, stopped or failed. */
  message: string | null;
}

/** A command as the device that obeyed it remembers it. */
export interface ObeyedInfo {
  thing: string;
  op: string;
  name: string | null;
  input?: unknown;
  time: string;
  /** Who asked. */
  peer: PeerId;
  /** What kind of thing began it, and at which peer. */
  origin: 'cli' | 'http' | 'script' | 'program' | 'rule';
  began: PeerId;
  chain: LinkInfo[];
  /** `ok`, or an error code. */
  outcome: string;
}

/** A device that could not be asked. */
export interface UnaskedInfo {
  peer: PeerId;
  name: string;
  /** An error code. */
  code: string;
}

/** `GET /why/{thing}`: why a Thing is as it is. */
export interface WhyInfo {
  thing: string;
  title: string;
  /** The last commands that it obeyed, newest first, one for each affordance. */
  commands: ObeyedInfo[];
  /** The executions behind them, by firing. */
  executions: ExecutionInfo[];
  unasked: UnaskedInfo[];
  /** The same as sentences, in the order in which to read them. */
  sentences: string[];
}

/** `GET /rules/{rule}/executions`: what a rule did, newest first, at every peer that could be asked. */
export interface TraceInfo {
  executions: ExecutionInfo[];
  unasked: UnaskedInfo[];
  /** How many members more there are, which were not asked, since they were too many. */
  notAsked: number;
}

/** One step of a dry run, in the order in which it would be taken. */
export interface DryStep {
  path: string;
  /** What would be done, as a sentence. */
  text: string;
}

/** `POST /rules/{rule}/test`: what would happen now. Nothing is commanded. */
export interface DryRunInfo {
  rule: string;
  trigger: TriggerInfo;
  conditions: ConditionInfo[];
  /** Whether the steps would be taken. */
  runs: boolean;
  steps: DryStep[];
  outcome: ExecutionOutcome;
  message: string | null;
}

/** `GET /scenes`, one entry. */
export interface SceneInfo {
  scene: string;
  name: string;
  author: PeerId;
  values: { thing: string; property: string; value: unknown }[];
}

/** `POST /scenes/{scene}/apply`: what became of each value. */
export interface AppliedScene {
  scene: string;
  results: { thing: string; property: string; outcome: string }[];
}

/** `GET /place`: where the fabric is, for times of day and the sun; null where nobody has said. */
export interface PlaceInfo {
  /** An IANA time zone. */
  zone: string;
  /** Degrees north and east. */
  latitude: number | null;
  longitude: number | null;
}
