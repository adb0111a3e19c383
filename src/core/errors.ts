/**
 * The one error class of the project and the one table of its codes.
 * Relies on nothing; `docs/errors.md` is checked against the table by a test.
 */

/** What one error code means to the outside: HTTP status, CLI exit code, whether trying again can help, a hint. */
export interface ErrorKind {
  readonly status: number;
  readonly exit: number;
  readonly retry: boolean;
  readonly hint: string;
}

const kind = (status: number, exit: number, retry: boolean, hint: string): ErrorKind => ({
  status,
  exit,
  retry,
  hint,
});

/** Every code that an `AlthingError` can carry. Exit codes: 2 usage, 3 not found, 4 refused, 5 out of reach, 6 this machine, 7 the other side, 70 our bug. */
export const errorTable = {
  'bad-input': kind(400, 2, false, 'Check the value against what the message names.'),
  'bad-option': kind(400, 2, false, 'Run the command with --help.'),
  'value-invalid': kind(
    400,
    2,
    false,
    "Compare the value with the affordance's schema: althing describe THING.",
  ),
  'value-too-large': kind(413, 2, false, 'Send less at once: a frame carries at most 1 MiB.'),
  'td-invalid': kind(400, 2, false, 'Mend the Thing Description where the message points.'),
  'rule-invalid': kind(
    400,
    2,
    false,
    'Mend the rule where the message points: docs/rules.md shows the form.',
  ),
  'rule-failed': kind(500, 7, false, 'See what the rule saw and did: althing rules trace RULE.'),
  'rule-unknown': kind(404, 3, false, 'List the rules: althing rules.'),
  'scene-unknown': kind(404, 3, false, 'List the scenes: althing scene list.'),
  'step-superseded': kind(409, 4, false, 'A newer run of the rule has taken over; nothing is to be done.'),
  'step-forgotten': kind(
    409,
    4,
    false,
    'The step came so late that its device no longer knows whether it was done: look at the device.',
  ),
  'uri-variable-invalid': kind(
    400,
    2,
    false,
    "Compare with the affordance's uriVariables: althing describe THING.",
  ),
  'thing-unknown': kind(404, 3, false, 'List what there is: althing things.'),
  'affordance-unknown': kind(404, 3, false, 'List what the Thing offers: althing describe THING.'),
  'action-unknown': kind(404, 3, false, 'The invocation is unknown or was forgotten after it ended.'),
  'value-unknown': kind(404, 3, false, 'Read the property when its device is online.'),
  'peer-unknown': kind(404, 3, false, 'List the members: althing peers.'),
  'token-unknown': kind(404, 3, false, 'List the tokens: althing tokens.'),
  'not-found': kind(404, 3, false, 'Check the address.'),
  'name-ambiguous': kind(409, 3, false, 'Use the id, or peer/name.'),
  'operation-unsupported': kind(
    405,
    4,
    false,
    'The affordance does not offer this operation: althing describe THING.',
  ),
  unauthorized: kind(401, 4, false, 'Send a bearer token: althing token.'),
  forbidden: kind(403, 4, false, 'Ask an admin of the fabric for permission.'),
  'not-admin': kind(403, 4, false, 'Run this on the device of an admin.'),
  'ticket-invalid': kind(400, 4, false, 'Copy the whole ticket, or ask for a new one.'),
  'invite-expired': kind(403, 4, false, 'Ask an admin for a new invite.'),
  'invite-used-up': kind(403, 4, false, 'Ask an admin for a new invite.'),
  'invite-unknown': kind(403, 4, false, 'The fabric does not know this invite: ask an admin for a new one.'),
  'pass-expired': kind(403, 4, false, 'Ask an admin of the fabric for a new guest pass: althing share.'),
  'pass-used-up': kind(403, 4, false, 'Ask an admin of the fabric for a new guest pass: althing share.'),
  'pass-ended': kind(403, 4, false, 'Ask an admin of the fabric for a new guest pass: althing share.'),
  'clock-unknown': kind(503, 5, true, 'Set the clock of the device, or connect it to another member.'),
  'already-in-fabric': kind(
    409,
    4,
    false,
    'Leave that fabric first: althing leave; or use another home: --home DIR.',
  ),
  'admins-too-few': kind(
    409,
    4,
    false,
    'Make another member an admin first, or use the 24 words: althing recover.',
  ),
  'admin-sets-exhausted': kind(
    409,
    4,
    false,
    'Use the 24 words on the device of a member: althing recover. After that admins change as before.',
  ),
  'proposal-open': kind(409, 4, false, 'See what is proposed and whom it waits for: althing members.'),
  'invite-revoked': kind(403, 4, false, 'Ask an admin for a new invite.'),
  revoked: kind(
    403,
    4,
    false,
    'The key of this device is out of the fabric for good. To join again with a new one: althing leave, then althing join TICKET.',
  ),
  'not-a-member': kind(403, 4, false, 'Join the fabric first: althing join TICKET.'),
  'wrong-fabric': kind(403, 4, false, 'The peers belong to different fabrics.'),
  'wrong-peer': kind(502, 5, true, 'Another peer answered at that address.'),
  'proof-invalid': kind(403, 4, false, 'The membership proof does not hold.'),
  'record-invalid': kind(400, 7, false, 'The record is damaged, forged or from a newer version.'),
  'protocol-error': kind(502, 7, false, 'The other side does not follow the protocol: compare versions.'),
  'version-unsupported': kind(505, 7, false, 'Update the older of the two peers.'),
  'rate-limited': kind(429, 5, true, 'Wait a little and try again.'),
  'too-many': kind(429, 5, true, 'Close something first, or wait.'),
  'peer-offline': kind(503, 5, true, 'Check that the device is on and on the network: althing peers.'),
  'not-running': kind(503, 5, true, 'Start the peer: althing up.'),
  'join-unreachable': kind(503, 5, true, 'Check that a member of the fabric is on and on the same network.'),
  'connection-lost': kind(503, 5, true, 'The connection ended before the request was sent.'),
  'outcome-unknown': kind(
    504,
    5,
    false,
    'The connection ended while the device worked: read its state before trying again.',
  ),
  timeout: kind(504, 5, true, 'The device did not answer in time.'),
  cancelled: kind(499, 5, true, 'The caller gave up.'),
  'values-missed': kind(409, 5, false, 'Some values were not delivered: read the current one.'),
  'handler-failed': kind(502, 7, false, "The Thing's own code failed: see the log of its peer."),
  'handler-missing': kind(501, 7, false, 'The Thing declares the affordance without a handler.'),
  'script-failed': kind(502, 7, true, 'The script that carries the Thing failed: see the log of its peer.'),
  'home-in-use': kind(409, 6, true, 'Another peer runs on this home: stop it or use --home DIR.'),
  'home-read-only': kind(500, 6, false, 'Make the directory writable, or use --home DIR.'),
  'disk-full': kind(507, 6, true, 'Free some disk space.'),
  'disk-failed': kind(500, 6, true, 'The disk reported an error: check it, and replace a worn card.'),
  'store-corrupt': kind(
    500,
    6,
    false,
    'Run althing rebuild: it keeps the damaged file, and what other members hold is fetched again from them.',
  ),
  'store-newer': kind(500, 6, false, 'The home was written by a newer version: update althing.'),
  'key-corrupt': kind(
    500,
    6,
    false,
    'Restore identity.key from a backup: without it this device is another peer.',
  ),
  'backup-invalid': kind(
    400,
    4,
    false,
    'Check the file and the passphrase: a backup is made by althing backup FILE.',
  ),
  'config-invalid': kind(500, 6, false, 'Mend or delete config.yaml.'),
  'port-in-use': kind(500, 6, false, 'Stop what uses the port, or pass another: --listen HOST:PORT.'),
  'listen-failed': kind(500, 6, false, 'Check the address: it must belong to this machine.'),
  unhealthy: kind(500, 6, true, 'Do what each finding advises, and ask again: althing doctor.'),
  'recovery-shown': kind(410, 6, false, 'The words were shown once and are no longer stored.'),
  'node-too-old': kind(500, 6, false, 'Install Node 24.12 or newer.'),
  internal: kind(500, 70, false, 'This is a bug in Althing: please report it with the log.'),
} as const satisfies Record<string, ErrorKind>;

/** A code out of the table. */
export type ErrorCode = keyof typeof errorTable;

/** Whether a string is a known code. */
export const isErrorCode = (code: unknown): code is ErrorCode =>
  typeof code === 'string' && Object.hasOwn(errorTable, code);

/** Every failure that Althing reports: a code, a message for people, and details for programs. */
export class AlthingError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  /**
   * @param code out of the table
   * @param message what happened, to what, and what to do, in one or two sentences
   * @param options `cause`: the error underneath; `details`: plain data for programs
   */
  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; details?: Record<string, unknown> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AlthingError';
    this.code = code;
    this.details = options.details;
  }
}

/** Anything thrown, as an AlthingError: itself if it is one, else wrapped under `fallback`. */
export const toAlthingError = (thrown: unknown, fallback: ErrorCode = 'internal'): AlthingError => {
  if (thrown instanceof AlthingError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new AlthingError(fallback, message, { cause: thrown });
};

const diskCodes = new Set<ErrorCode>(['disk-full', 'home-read-only', 'disk-failed', 'store-corrupt']);

/** Whether an error says that this machine's disk failed: the store tells of that once, so nobody else needs to. */
export const isDiskFailure = (thrown: unknown): boolean =>
  thrown instanceof AlthingError && diskCodes.has(thrown.code);
