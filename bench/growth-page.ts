/**
 * The section of `docs/performance.md` about a fabric as it grows.
 * Relies on the figures alone: they depend on no machine, so that the page changes only when the program does.
 */
import type { Cost, GrowthFigures } from './growth.ts';

const head = [
  'peers',
  'a record changes',
  'a member joins',
  'the new one is sent',
  'all restart',
  'all restart with a new address',
  'idle minute',
];

/** The columns of the table. */
export const growthTitle = `| ${head.join(' | ')} |\n|${' --- |'.repeat(head.length)}`;

const cost = (figures: Cost | undefined): string => {
  if (!figures) return '';
  const { messages, kilobytes, seconds } = figures;
  return `${messages.toFixed(messages < 10 ? 1 : 0)}, ${kilobytes.toFixed(kilobytes < 100 ? 1 : 0)} kB, ${seconds.toFixed(1)} s`;
};

/** One fabric as a row. */
export const growthRow = (figures: GrowthFigures): string => {
  const { peers, change, newcomer, bootstrapKilobytes, restart, restartChanged, idle } = figures;
  const sent = `${bootstrapKilobytes.toFixed(0)} kB`;
  return `| ${[peers, cost(change), cost(newcomer), sent, cost(restart), cost(restartChanged), cost(idle)].join(' | ')} |`;
};

/** The whole section. */
export const growthPage = (figures: readonly GrowthFigures[]): string =>
  `## A fabric as it grows

\`npm run bench -- growth\`: real replicas, reconcilers and doors in one process, over simulated time and links of 1 to 20 ms;
each peer has a Thing of 2 KB. Messages and bytes are of a peer on the average, frame headers included and TLS not; time
is simulated, until all know. It depends on no machine. Up to 32 members everybody is in session with everybody, above
with the eight neighbours that \`net/neighbours.ts\` names.

${growthTitle}
${figures.map(growthRow).join('\n')}

Left out: the peers of one process share the records that they all hold until one of them changes, check equal signatures
once, and compute the authority of equal control records once. None of that is sent, so the figures are those of peers
that share nothing. Disks and TLS are left out too. What it costs that all restart with news of their own is measured up
to 256 peers: everybody is then told of everybody's, about three messages for each record, which is what holding all of
them means; it grows with the number of records that are new, not with its square.

What one event costs a peer does not grow above 32 members: the cost of all together grows as their number. A summary is
1.1 KiB at most, so restarts and idle minutes stop growing once its groups are full. The exception is the new member
itself: it stores the records of one author at a time, each with a sync of its disk (10 ms here on the average), so its
time and what it is sent grow with the number of authors. What a joining costs the others grows by the summaries alone
that they send one another anyhow in that time.
`;
