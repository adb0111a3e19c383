/**
 * `npm run bench [-- command growth footprint state rules --json]`: measures what Althing promises about speed and size, as tables.
 * Relies on an idle machine for numbers that mean something; ratios inside one run hold better than the times.
 */
import { parseArgs } from 'node:util';
import { benchCommand, type CommandFigures } from './command.ts';
import { benchFootprint, canMeasureFootprint, type FootprintFigures } from './footprint.ts';
import { benchGrowth } from './growth.ts';
import { growthPage, growthRow, growthTitle } from './growth-page.ts';
import { machine, writeSection } from './performance-page.ts';
import { benchRules } from './rules.ts';
import { rulesPage } from './rules-page.ts';
import { benchState, type StateFigures } from './state.ts';
import { showSpread } from './statistics.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
});

const say = (text: string): void => {
  if (!options.json) console.log(text);
};

const tellCommand = (figures: readonly CommandFigures[]): void => {
  say('\n## A property write between two processes, beside a raw TLS 1.3 echo of the same size\n');
  say('Microseconds: the middle of the rounds, and the quartiles in brackets.\n');
  say('| processes on | in flight | | median | p99 | a second | CPU, both sides |');
  say('| --- | --- | --- | --- | --- | --- | --- |');
  for (const { placement, inFlight, command, echo } of figures)
    for (const [name, { median, p99, rate, cpu }] of [['write', command] as const, ['echo', echo] as const]) {
      const cells = [showSpread(median), showSpread(p99), showSpread(rate, 0), showSpread(cpu)];
      say(`| ${[placement, inFlight, name, ...cells].join(' | ')} |`);
    }
  say('\n| processes on | in flight | ratio of medians | ratio of whole rounds |\n| --- | --- | --- | --- |');
  for (const { placement, inFlight, ratio, throughputRatio } of figures)
    say(`| ${placement} | ${inFlight} | ${showSpread(ratio, 2)} | ${showSpread(throughputRatio, 2)} |`);
};

const tellFootprint = (figures: FootprintFigures): void => {
  say('\n## The installed package: `althing up` on an existing home, system adapter on\n');
  say('| | middle (quartiles) | a bare Node |\n| --- | --- | --- |');
  const { startMs, nodeStartMs, rssMb, nodeRssMb, anonymousMb, idleCpuPercent } = figures;
  say(`| start to ready, ms | ${showSpread(startMs, 0)} | ${showSpread(nodeStartMs, 0)} |`);
  say(`| resident memory when settled, MB | ${showSpread(rssMb)} | ${showSpread(nodeRssMb)} |`);
  say(`| of that its own (RssAnon), MB | ${showSpread(anonymousMb)} | |`);
  say(`| CPU when idle, % of a core | ${showSpread(idleCpuPercent, 2)} | |`);
};

const tellState = (figures: StateFigures): void => {
  const row = (what: string, ...cells: readonly string[]): string => `| ${[what, ...cells].join(' | ')} |`;
  const ms = (value: number): string => value.toFixed(0);
  const mb = (value: number): string => value.toFixed(1);
  const text = [
    `## A fabric of ${figures.things} Things (TDs of 2 KB) and ${figures.members} members`,
    '',
    `\`npm run bench -- state\`: two peers in processes of their own, TLS over loopback, one run. ${machine()}`,
    `The database has ${mb(figures.storeMb)} MB. "Longest delay" is the longest time that a peer's event loop was held.`,
    '',
    row('', 'time, ms', 'on the wire, MB', 'resident, MB', 'longest delay, ms'),
    row('---', '---', '---', '---', '---'),
    row(
      'start of the process to ready',
      ms(figures.openMs),
      '',
      mb(figures.openRssMb),
      ms(figures.openDelayMs),
    ),
    row(
      'a new member joins and has all Things',
      ms(figures.bootstrapMs),
      mb(figures.bootstrapWireMb),
      mb(figures.bootstrapRssMb),
      `${ms(figures.bootstrapDelayMs)} (the other side ${ms(figures.supplierDelayMs)})`,
    ),
    row(
      'it was off while 1 % changed: start of its process to having that',
      `${ms(figures.catchUpMs)} (after ready ${ms(figures.catchUpAfterReadyMs)})`,
      figures.catchUpWireMb.toFixed(2),
      '',
      ms(figures.catchUpDelayMs),
    ),
  ].join('\n');
  say(`\n${text}`);
  writeSection('state', text);
};

const benches = {
  command: async () => {
    const figures = await benchCommand();
    tellCommand(figures);
    return figures;
  },
  growth: async () => {
    say(`\n${growthTitle}`);
    const figures = await benchGrowth({ tell: (one) => say(growthRow(one)) });
    writeSection('growth', growthPage(figures));
    return figures;
  },
  footprint: async () => {
    if (!canMeasureFootprint()) {
      say('\nMemory is read out of /proc, which this system does not have: no footprint.');
      return null;
    }
    const figures = await benchFootprint();
    tellFootprint(figures);
    return figures;
  },
  rules: async () => {
    const figures = await benchRules();
    const text = rulesPage(figures, machine());
    say(`\n${text}`);
    writeSection('rules', text);
    return figures;
  },
  state: async () => {
    const figures = await benchState();
    tellState(figures);
    return figures;
  },
};

const asked = positionals.length > 0 ? positionals : Object.keys(benches);
const unknown = asked.find((name) => !Object.hasOwn(benches, name));
if (unknown !== undefined)
  throw new Error(`There is no bench "${unknown}": ${Object.keys(benches).join(', ')}.`);
const results: Record<string, unknown> = {};
for (const name of asked) results[name] = await benches[name as keyof typeof benches]();
if (options.json) console.log(JSON.stringify(results));
