/**
 * `althing activity`: what rules did here and what Things here were told, as kept or as it happens.
 * Relies on the running peer's gateway.
 */
import type { Activity } from '../core/api-shapes.ts';
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import type { NameOf } from './execution-text.ts';
import { namesOf } from './fabric-names.ts';
import { aborted, interruption } from './interrupt.ts';
import { limitOf } from './limit.ts';
import type { Output } from './output.ts';

export const run: RunCommand = async ({ home, options, out }) => {
  const client = clientOf(home);
  const nameOf = await namesOf(client);
  if (options.follow) return follow(client, nameOf, out);
  const kept = await client.rules.activity(limitOf(options.limit));
  out.answer(kept, () =>
    kept.length === 0
      ? 'No rule has run here, and no Thing here was told anything.'
      : kept.map((one) => activityLine(one, nameOf)).join('\n'),
  );
};

const follow = async (client: ReturnType<typeof clientOf>, nameOf: NameOf, out: Output): Promise<void> => {
  const stop = AbortSignal.any([interruption(), out.closed]);
  try {
    const activities = await client.activity({ signal: stop, onMissed: (error) => out.failure(error) });
    for await (const activity of activities) out.answer(activity, () => activityLine(activity, nameOf));
  } catch (thrown) {
    // Being interrupted is how this command ends.
    if (!stop.aborted) throw thrown;
  }
  await aborted(stop);
};

const verbs: Readonly<Record<string, string>> = {
  readproperty: 'read',
  writeproperty: 'write',
  invokeaction: 'invoke',
};

const activityLine = (activity: Activity, nameOf: NameOf): string => {
  const { time, kind, rule, peer, thing, op, name, outcome, rttMs, message } = activity;
  const what = [
    ...(rule === undefined ? [] : [`rule ${rule}`]),
    ...(thing === undefined ? [] : [nameOf(thing)]),
    ...(op === undefined ? [] : [`${verbs[op] ?? op} ${name ?? ''}`.trimEnd()]),
    ...(peer === undefined ? [] : [`${kind === 'obeyed' ? 'for' : 'at'} ${nameOf(peer)}`]),
    ...(outcome === undefined ? [] : [outcome]),
    ...(rttMs === undefined ? [] : [`${rttMs.toFixed(1)} ms`]),
    ...(message === undefined ? [] : [message]),
  ];
  return `${time}  ${kind.padEnd(16)}  ${what.join('  ')}`;
};
