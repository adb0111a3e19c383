/**
 * `althing invoke`: invokes an action and waits for its end, long ones included.
 * Relies on the running peer's gateway; asks again and again how a long action stands.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { GatewayClient } from '../client/client.ts';
import { AlthingError, errorTable, isErrorCode } from '../core/errors.ts';
import type { ActionStatus } from '../thing/scripting-api.ts';
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import type { Output } from './output.ts';
import { parseValue, plainValue, showValue } from './value.ts';

const firstPauseMs = 50;
const longestPauseMs = 1000;

export const run: RunCommand = async ({ args, home, options, out }) => {
  const client = clientOf(home);
  const [thing, action, text] = args;
  const td = await client.resolve(thing!);
  const affordance = td.actions?.[action!];
  const input = text === undefined ? undefined : parseValue(text, affordance?.input);
  const result = plainValue(await client.invokeAction(td.id, action!, input));
  if (affordance?.synchronous !== false || options.wait === false)
    return out.answer(result, () => showValue(result));
  const output = await outcome(client, td.id, action!, result as ActionStatus, out);
  out.answer(output, () => showValue(output));
};

/** The output of an action once it has ended. Throws what made it fail, `cancelled`, `action-unknown`. */
const outcome = async (
  client: GatewayClient,
  thing: string,
  action: string,
  started: ActionStatus,
  out: Output,
): Promise<unknown> => {
  if (started.status === 'completed') return started.output;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    await pause(pauseMs);
    const status = await statusOf(client, thing, action, started.id, out);
    if (status?.status === 'completed') return status.output;
    if (status?.status === 'failed') throw failureOf(action, status);
    if (status?.status === 'cancelled')
      throw new AlthingError('cancelled', `The action "${action}" was cancelled before it ended.`);
  }
};

/** How an action stands, or undefined where that cannot be known for now. */
const statusOf = async (
  client: GatewayClient,
  thing: string,
  action: string,
  invocation: string,
  out: Output,
): Promise<ActionStatus | undefined> => {
  try {
    return await client.queryAction(thing, action, invocation);
  } catch (thrown) {
    // Asking again is harmless, and the action goes on while its device is out of reach for a while.
    if (!(thrown instanceof AlthingError) || thrown.code === 'not-running' || !errorTable[thrown.code].retry)
      throw thrown;
    out.note(`${thrown.message} Asking again; Ctrl-C leaves the action running.`);
    return undefined;
  }
};

const failureOf = (action: string, { error }: ActionStatus): AlthingError =>
  new AlthingError(
    isErrorCode(error?.code) ? error.code : 'handler-failed',
    error?.message ?? `The action "${action}" failed without saying why.`,
  );
