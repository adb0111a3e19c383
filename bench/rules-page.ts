/**
 * The section of `docs/performance.md` about rules.
 * Relies on the figures alone.
 */
import type { LatencyFigures, LoadFigures, RulesFigures } from './rules.ts';
import { median, showSpread } from './statistics.ts';

const latencyRow = ({ rule, acted, command, ratio, ratioP99 }: LatencyFigures): string =>
  `| ${[
    rule,
    showSpread(acted.median, 0),
    showSpread(command.median, 0),
    showSpread(ratio, 2),
    showSpread(acted.p99, 0),
    showSpread(command.p99, 0),
    showSpread(ratioP99, 2),
  ].join(' | ')} |`;

const middleAndMost = (times: readonly number[]): string =>
  `${median(times).toFixed(0)} | ${Math.max(...times).toFixed(0)} | ${times.length}`;

const loadRow = ({ what, outcomes, commands, cpuPercent }: LoadFigures): string => {
  const ended = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`);
  return `| ${what} | ${ended.join(', ')} | ${commands} | ${cpuPercent.toFixed(0)} |`;
};

/** The whole section. */
export const rulesPage = ({ latency, failover, load }: RulesFigures, machine: string): string => `## Rules

\`npm run bench -- rules\`: devices in processes of their own, TLS over loopback, one run. ${machine}

From an event on one device to the handler of the command on another, and in turns with it the round trip of a bare command
between the two; a device rests 5 ms before each. Microseconds: the middle of the rounds, and the quartiles in brackets.

| the rule has | event to command | bare command and answer | ratio | p99: event to command | bare command | ratio |
| --- | --- | --- | --- | --- | --- | --- |
${latency.map(latencyRow).join('\n')}

A timed rule whose runner is killed: milliseconds from the death of its process, or from the planned time where that is later,
until the next host commands.

| killed | middle | longest | times |
| --- | --- | --- | --- |
| in the middle of the firing, in a delay | ${middleAndMost(failover.inTheMiddle)} |
| just before the planned time | ${middleAndMost(failover.atThePlannedTime)} |

A runner that is killed while a device of its own is at a step leaves the outcome of that step unknown: the next host asks
until the step's deadline (10 s unless the rule says), and only then goes on.

A hundred rules and a hundred events a second on one peer, for ten seconds; the commands go to another device.

| | firings | commands | CPU of the peer with the rules, % of a core |
| --- | --- | --- | --- |
${load.map(loadRow).join('\n')}
`;
