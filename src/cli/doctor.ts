/**
 * `althing doctor`: what is wrong with this peer, and what to do.
 * Relies on the running peer, or where none runs on one in this process that stays off the network.
 */
import type { DoctorReport, Finding } from '../core/api-shapes.ts';
import { AlthingError, errorTable, toAlthingError } from '../core/errors.ts';
import type { CommandCall, RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { runningOr, withOwnPeer } from './own-peer.ts';

const marks = { problem: '✗', warning: '!', ok: '✓' } as const;

export const run: RunCommand = async (call) => {
  const report = await runningOr(
    () => clientOf(call.home).doctor(),
    () => stopped(call),
  );
  call.out.answer(report, () => report.findings.map(lineOf).join('\n'));
  const problems = report.findings.filter(({ level }) => level === 'problem').length;
  if (!report.healthy)
    throw new AlthingError('unhealthy', `${problems} ${problems === 1 ? 'problem' : 'problems'} found.`);
};

/** What can be told of a peer that does not run; that its home cannot be opened is a finding, too. */
const stopped = async (call: CommandCall): Promise<DoctorReport> => {
  const off: Finding = {
    check: 'peer',
    level: 'warning',
    message: 'No peer runs on this home: what other members hold against it cannot be told.',
    advice: 'Start it and ask again: althing up.',
  };
  try {
    const { healthy, findings } = await withOwnPeer(call, { offline: true }, (peer) => peer.doctor());
    // Off the network, what is known of the others says nothing.
    return { healthy, findings: [off, ...findings.filter(({ check }) => !ofNetwork.has(check))] };
  } catch (thrown) {
    const { code, message } = toAlthingError(thrown);
    const advice = errorTable[code].hint;
    return { healthy: false, findings: [{ check: 'peer', level: 'problem', message, advice }] };
  }
};

const ofNetwork: ReadonlySet<string> = new Set(['network', 'members', 'clock']);

const lineOf = ({ level, message, advice }: Finding): string =>
  `${marks[level]} ${message}${advice === null ? '' : `\n    ${advice}`}`;
