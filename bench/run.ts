/**
 * `npm run bench`: measures what Althing promises about speed and size, and prints it as tables.
 * Relies on an idle machine for numbers that mean something; ratios inside one run hold better than the times.
 */
import { parseArgs } from 'node:util';
import { benchCommand, type CommandFigures } from './command.ts';
import { showSpread } from './statistics.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
});

const say = (text: string): void => {
  if (!options.json) console.log(text);
};

const tellCommand = (figures: readonly CommandFigures[]): void => {
  say(
    '\n## A property write between two processes, beside a raw TLS 1.3 echo (us; quartiles of the rounds)\n',
  );
  say('| in flight | | median | p99 | a second | CPU, both sides |\n| --- | --- | --- | --- | --- | --- |');
  for (const { inFlight, command, echo } of figures)
    for (const [name, each] of [
      ['write', command],
      ['echo', echo],
    ] as const)
      say(
        `| ${inFlight} | ${name} | ${showSpread(each.median)} | ${showSpread(each.p99)} | ${showSpread(each.rate, 0)} | ${showSpread(each.cpu)} |`,
      );
  say('\n| in flight | ratio of medians | ratio of whole rounds |\n| --- | --- | --- |');
  for (const { inFlight, ratio, throughputRatio } of figures)
    say(`| ${inFlight} | ${showSpread(ratio, 2)} | ${showSpread(throughputRatio, 2)} |`);
};

const benches = {
  command: async () => {
    const figures = await benchCommand();
    tellCommand(figures);
    return figures;
  },
};

const asked = positionals.length > 0 ? positionals : Object.keys(benches);
const results: Record<string, unknown> = {};
for (const name of asked) {
  if (!Object.hasOwn(benches, name))
    throw new Error(`There is no bench "${name}": ${Object.keys(benches).join(', ')}.`);
  results[name] = await benches[name as keyof typeof benches]();
}
if (options.json) console.log(JSON.stringify(results));
