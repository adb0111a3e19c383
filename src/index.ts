/**
 * What a program that embeds Althing imports: a peer, the Scripting API's types, the error class.
 * Relies on the folders below; this is the only file that re-exports.
 */

export type {
  Activity,
  InviteInfo,
  InviteRequest,
  JoinInfo,
  PeerInfo,
  Role,
  Scope,
  SelfInfo,
  ThingInfo,
} from './core/api-shapes.ts';
export { AlthingError, type ErrorCode, errorTable } from './core/errors.ts';
export type { PeerId } from './core/ids.ts';
export type { Logger } from './core/logger.ts';
export { startGateway } from './gateway/server.ts';
export { createPeer } from './peer/create-peer.ts';
export { Peer } from './peer/peer.ts';
export type { PeerOptions } from './peer/peer-options.ts';
export type {
  ActionStatus,
  Cause,
  ConsumedThing,
  ExposedThing,
  InteractionContext,
  InteractionOutput,
  Subscription,
  ThingFilter,
  Wot,
} from './thing/scripting-api.ts';
export type { PartialThingDescription, ThingDescription } from './thing/thing-description.ts';
