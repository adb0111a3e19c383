/**
 * `althing invoke`: invokes an action and waits for its end, long ones included.
 * Relies on the running peer's gateway; asks again and again how a long action stands.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '../client/client.ts';
import { AlthingError, errorTable, isErrorCode } from '../core/errors.ts';
import type { ActionStatus } from '../thing/scripting-api.ts';
import type { RunCommand } from './command-table.ts';
import { withClient } from './connect.ts';
import type { Output } from './output.ts';
import { parseValue, showValue } from './value.ts';

const firstPauseMs = 50;
const longestPauseMs = 1000;

export const run: RunCommand = ({ args, home, options, out }) =>
  withClient(home, async (client) => {
    const [thing, action, text] = args;
    const td = await client.describe(thing!);
    const affordance = td.actions?.[action!];
    const input = text === undefined ? undefined : parseValue(text, affordance?.input);
    const result = await client.invokeAction(td.id, action!, input);
    if (affordance?.synchronous !== false || options.wait === false)
      return out.answer(result, () => showValue(result));
    const output = await outcome(client, td.id, action!, result as ActionStatus, out);
    out.answer(output, () => showValue(output));
  });

/** The output of an action once it has ended. Throws what made it fail, `cancelled`, `action-unknown`. */
const outcome = async (
  client: Client,
  thing: string,
  action: string,
  started: ActionStatus,
  out: Output,
): Promise<unknown> => {
  let status = started;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    if (status.status === 'completed') return status.output;
    if (status.status === 'failed') throw failureOf(action, status);
    if (status.status === 'cancelled')
      throw new AlthingError('cancelled', `The action "${action}" was cancelled before it ended.`);
    await pause(pauseMs);
    try {
      status = await client.queryAction(thing, action, started.id);
    } catch (thrown) {
      // Asking again is harmless, and the action goes on while its device is out of reach for a while.
      if (!(thrown instanceof AlthingError) || thrown.code === 'not-running' || !errorTable[thrown.code].retry)
        throw thrown;
      out.note(`${thrown.message} Asking again; Ctrl-C leaves the action running.`);
    }
  }
};

const failureOf = (action: string, { error }: ActionStatus): AlthingError =>
  new AlthingError(
    isErrorCode(error?.code) ? error.code : 'handler-failed',
    error?.message ?? `The action "${action}" failed without saying why.`,
  );
