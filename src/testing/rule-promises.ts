/**
 * What rules promise, checked on what was seen of a history from outside: each promise by itself, with what broke it.
 * Relies on the chronicle; computes what should have been by other means than the program, and only where that is certain.
 */
import type { PeerId } from '../core/ids.ts';
import { parseThingId } from '../core/ids.ts';
import type { ExecutionInfo, StepInfo } from '../core/rule-shapes.ts';
import type { Kept, RuleChronicle } from './rule-chronicle.ts';
import { lostPresence, lostSayings, lostTimes } from './rule-expectations.ts';
import type { RuleHistory } from './rule-history.ts';
import type { LabAct } from './rule-lab-things.ts';

/** Gives what broke the promise, in words; nothing where it held. */
type Check = (history: RuleHistory) => string[];

const actKey = (firing: string, path: string): string => `${firing} ${path}`;

/** A path without the number of the try. */
const untried = (path: string): string => path.replace(/\/t\d+:/, '/t:');

/** What devices did, by firing and path. */
const actsBySteps = ({ acts }: RuleChronicle): Map<string, LabAct[]> =>
  Map.groupBy(
    acts.filter(({ step }) => step),
    ({ step }) => actKey(step!.firing, step!.step),
  );

const executionsOf = ({ kept }: RuleChronicle): (Kept & { readonly info: ExecutionInfo })[] =>
  [...kept.values()].filter((one): one is Kept & { info: ExecutionInfo } => one.info !== undefined);

/** Lines about commands: `t0:urn:...` is part of no other path. */
const commandsOf = ({ steps }: ExecutionInfo): StepInfo[] => steps.filter(({ thing }) => thing !== null);

const once: Check = ({ chronicle }) =>
  [...actsBySteps(chronicle)]
    .filter(([, acts]) => acts.length > 1)
    .map(([key, acts]) => `${key} was done ${acts.length} times`);

const newestLast: Check = ({ chronicle }) => {
  const broken: string[] = [];
  const newest = new Map<string, number>();
  for (const { step, thing } of chronicle.acts) {
    if (!step) continue;
    const device = `${parseThingId(thing)!.peer} ${step.rule}`;
    const before = newest.get(device) ?? 0;
    if (step.mode === 'restart' && step.clock < before) broken.push(`${step.firing} ${step.step} came late`);
    newest.set(device, Math.max(before, step.clock));
  }
  return broken;
};

/** A step that was done under one number of a try is not done again under the next. */
const triesEnd: Check = ({ chronicle }) => {
  const done = new Map<string, number>();
  for (const { step, outcome } of chronicle.acts) {
    if (!step || outcome !== 'done') continue;
    const key = actKey(step.firing, untried(step.step));
    done.set(key, (done.get(key) ?? 0) + 1);
  }
  return [...done]
    .filter(([, times]) => times > 1)
    .map(([key]) => `${key} was tried again after it was done`);
};

/** Of a command that another who ran the firing gave under another number of a try, a device says that it is done. */
const doneIsDone: Check = ({ chronicle }) => {
  const done = new Set(
    chronicle.acts
      .filter(({ step, outcome }) => step && outcome === 'done')
      .map(({ step }) => actKey(step!.firing, untried(step!.step))),
  );
  return executionsOf(chronicle).flatMap(({ info, firing }) =>
    commandsOf(info)
      .filter(({ what, path }) => what === 'done' && !done.has(actKey(firing, untried(path))))
      .map(({ path }) => `${firing} says that ${path} was done`),
  );
};

/** One that could not reach a device says so of its own command: another that ran the same firing may have reached it. */
const failedIsNotDone: Check = ({ chronicle }) => {
  const acts = actsBySteps(chronicle);
  return executionsOf(chronicle).flatMap(({ info, firing, peer }) =>
    commandsOf(info)
      .filter(({ what, path, code }) => {
        const act = acts.get(actKey(firing, path))?.[0];
        const wasElsewhere = code === 'peer-offline' && act?.cause.peer !== peer;
        return what === 'failed' && act?.outcome === 'done' && !wasElsewhere;
      })
      .map(({ path, code }) => `${firing} says that ${path} failed (${code})`),
  );
};

/** Steps in a row that must be done for a run to be: what they command, and at which path. */
const doneDoesAll: Check = ({ chronicle }) => {
  const acts = actsBySteps(chronicle);
  const rules = Map.groupBy(chronicle.learnt, ({ key }) => key);
  return executionsOf(chronicle).flatMap(({ info, firing }) => {
    const known = (rules.get(info.rule) ?? []).filter(({ rule }) => rule);
    // Which version ran is certain only where there was one.
    const versions = new Set(known.map(({ rule }) => JSON.stringify(rule!.steps)));
    if (info.outcome !== 'done' || versions.size !== 1) return [];
    return known[0]!.rule!.steps.flatMap((step, index) => {
      const target = 'write' in step ? step.write : 'invoke' in step ? step.invoke : undefined;
      if (!target?.thing || !('write' in step || 'invoke' in step) || step.onFailure) return [];
      const name = 'write' in step ? step.write.property : step.invoke.action;
      const tries = Array.from({ length: 4 }, (_, n) => `${index}/t${n}:${target.thing}/${name}`);
      const isDone = tries.some((path) => acts.get(actKey(firing, path))?.[0]?.outcome === 'done');
      return isDone ? [] : [`${firing} ended as done without step ${index}`];
    });
  });
};

/** A device that was late, or that somebody who ran the firing was cut off from, or one of these that lost its power. */
const unknownHasCause: Check = ({ chronicle, kind }) => {
  const acts = actsBySteps(chronicle);
  const runners = Map.groupBy(chronicle.kept.values(), ({ firing }) => firing);
  // All peers have started by then.
  const startMs = chronicle.learnt[0]!.atMs;
  return executionsOf(chronicle).flatMap(({ info, firing, peer, firstMs, lastMs }) =>
    commandsOf(info)
      .filter(({ what }) => what === 'unknown')
      .filter(({ path, thing }) => {
        const device = parseThingId(thing!)!.peer;
        const act = acts.get(actKey(firing, path))?.[0];
        const isLate = act !== undefined && (act.endedMs === undefined || act.endedMs - act.beganMs > 1500);
        const involved = [device, ...runners.get(firing)!.map((one) => one.peer)];
        // By a clock that is wrong a step of now is one of before the last loss of power, which is not remembered.
        const wasAway = kind === 'astray' && isTroubled(chronicle, [device], [startMs, lastMs]);
        return !isLate && !wasAway && !isTroubled(chronicle, involved, [firstMs - 20_000, lastMs]);
      })
      .map(({ path }) => `${firing} at ${peer.slice(-4)} does not know of ${path}`),
  );
};

/** Whether a peer came or went, or a session between two of these did. */
const isTroubled = (
  { troubles }: RuleChronicle,
  peers: readonly PeerId[],
  [fromMs, toMs]: readonly [number, number],
): boolean =>
  troubles.some(
    ({ atMs, peer, other }) =>
      atMs >= fromMs &&
      atMs <= toMs &&
      peers.includes(peer) &&
      (other === undefined || peers.includes(other)),
  );

/** By its own clock, that is: where clocks are set a peer may find that it is late without having been away. */
const lostHasCause: Check = ({ chronicle, kind }) =>
  executionsOf(chronicle)
    .filter(() => kind !== 'astray')
    .filter(({ info, firstMs, lastMs }) => {
      const wasAway = chronicle.troubles.some(
        ({ atMs, other }) => other === undefined && atMs >= firstMs - 1000 && atMs <= lastMs,
      );
      return info.outcome === 'lost' && !wasAway;
    })
    .map(({ firing, peer, info }) => `${firing} was lost at ${peer.slice(-4)}: ${info.message}`);

/** Nothing in a random home lasts longer than this, and a minute and ten seconds are made up for. */
const longestMs = 50_000 + 70_000;

/** A peer that was away for long does nothing any more of what it was at when it went. */
const nothingLate: Check = ({ chronicle, kind }) => {
  if (kind === 'astray') return [];
  const lives = Map.groupBy(
    chronicle.troubles.filter(({ other }) => other === undefined),
    ({ peer }) => peer,
  );
  return chronicle.acts.flatMap(({ step, cause, beganMs }) => {
    const runner = cause.peer;
    const known = step && chronicle.kept.get(`${runner} ${step.firing}`);
    // One that waited for its turn begins whenever that comes.
    if (!known || step.mode === 'queued') return [];
    const absences = (lives.get(runner) ?? []).flatMap((gone, index, all) => {
      const back = all[index + 1];
      return !gone.isUp && back && back.atMs < beganMs ? [{ goneMs: gone.atMs, backMs: back.atMs }] : [];
    });
    const isLate = absences.some(
      ({ goneMs, backMs }) => known.firstMs < goneMs && backMs - goneMs > longestMs,
    );
    return isLate ? [`${step.firing} ${step.step} was done long after it was due`] : [];
  });
};

const quietIsDone: Check = ({ chronicle, kind }) => {
  if (kind !== 'quiet') return [];
  const all = executionsOf(chronicle);
  const fine = new Set(['done', 'stopped', 'not-run', 'refused']);
  const isFine = ({ outcome, message }: ExecutionInfo): boolean =>
    fine.has(outcome) ||
    (outcome === 'cancelled' && /newer firing|removed|disabled/.test(message ?? '')) ||
    outcome === 'superseded' ||
    (outcome === 'failed' && /rule-failed|thing-unknown|not-found/.test(message ?? ''));
  const twice = Map.groupBy(all, ({ firing }) => firing);
  return [
    ...all
      .filter(({ info }) => !isFine(info))
      .map(({ firing, info }) => `${firing}: ${info.outcome} ${info.message}`),
    ...all.flatMap(({ info, firing }) =>
      commandsOf(info)
        .filter(({ what }) => what !== 'done')
        .map(({ path, what, code }) => `${firing} ${path}: ${what} ${code}`),
    ),
    ...[...twice].filter(([, at]) => at.length > 1).map(([firing]) => `${firing} ran at several peers`),
  ];
};

/** What was once on a disk comes to an end there. */
const everyRunEnds: Check = ({ chronicle }) =>
  [...chronicle.kept.values()]
    .filter(({ info }) => !info || info.ended === null)
    .map(({ firing, peer }) => `${firing} never ended at ${peer.slice(-4)}`);

const nothingIsLeft: Check = ({ leftOver }) => leftOver;

/** Every promise, by what it says. */
export const promises: Readonly<Record<string, Check>> = {
  'no device does a step twice': once,
  'in mode restart no device does a step of an older run after one of a newer': newestLast,
  'what was done is not tried again': triesEnd,
  'what is told as done was done': doneIsDone,
  'what is told as failed was not done': failedIsNotDone,
  'a run that is done did all that it had to': doneDoesAll,
  'what is told as unknown could not be known': unknownHasCause,
  'what is told as lost was due while its peer was away': lostHasCause,
  'what a peer was at before it was away for long it does no more': nothingLate,
  'where nothing breaks everything is done, by one peer': quietIsDone,
  'what a Thing says fires the rules of its peer': lostSayings,
  'a planned time fires where a host of the targets stays up': lostTimes,
  'who comes or goes fires where the others see it': lostPresence,
  'every run that was kept ends': everyRunEnds,
  'nothing is left when all is over': nothingIsLeft,
};
