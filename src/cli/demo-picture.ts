/**
 * The live picture of the demo as text: the devices, who is connected to whom, and what was said last.
 * Relies on nothing: what it shows is passed in, so that it can be tested without a terminal.
 */
import { printable } from './output.ts';

/** One device as the picture shows it. */
export interface DeviceView {
  readonly name: string;
  readonly pid: number | undefined;
  readonly state: 'off' | 'starting' | 'on';
  /** For each device, in order: whether both say that they are connected. */
  readonly connected: readonly boolean[];
  /** What its Things show now. */
  readonly now: string;
}

/** All that is in the picture. */
export interface View {
  readonly devices: readonly DeviceView[];
  /** What happened, the newest last; `time` as people write it. */
  readonly lines: readonly { readonly time: string; readonly text: string }[];
  /** How to talk to the home from a second terminal: a command a line. */
  readonly commands: readonly string[];
}

/** A terminal's size in characters, and whether it shows colours. */
export interface Canvas {
  readonly columns: number;
  readonly rows: number;
  readonly colour: boolean;
}

const nameWidth = 13;
const pidWidth = 8;

/** The picture's lines: never more than the canvas has rows, none wider than it has columns. */
export const drawPicture = (view: View, canvas: Canvas): string[] => {
  const paint = canvas.colour ? colours : plain;
  const fit = (text: string): string => clip(printable(text).replaceAll(/[\n\t]/g, ' '), canvas.columns);
  const running = view.devices.filter(({ state }) => state === 'on').length;
  const pairs = view.devices.reduce((sum, { connected }) => sum + connected.filter(Boolean).length, 0) / 2;
  const numbers = view.devices.map((_, i) => i + 1).join(' ');
  const head = [
    paint.strong(fit(` Althing   ${running} devices, ${pairs} direct connections, no hub`)),
    '',
    paint.faint(fit(`    ${'device'.padEnd(nameWidth)} ${'process'.padEnd(pidWidth)} ${numbers}   now`)),
    ...view.devices.map((device, i) => deviceLine(device, i, fit, paint)),
    '',
  ];
  const keys = ` 1-${view.devices.length} switches a device off (kill -9) and on again   q ends`;
  const foot = [
    '',
    fit(keys),
    ...(view.commands.length > 0 ? [fit(' From a second terminal:')] : []),
    ...view.commands.map((command) => paint.faint(fit(`   ${command}`))),
  ];
  const room = canvas.rows - head.length - foot.length;
  const lines = room > 0 ? view.lines.slice(-room) : [];
  const told = lines.map(({ time, text }) => {
    const line = fit(` ${time}  ${text}`);
    return paint.faint(line.slice(0, time.length + 1)) + line.slice(time.length + 1);
  });
  const empty = Array.from({ length: Math.max(0, room - told.length) }, () => '');
  return [...head, ...told, ...empty, ...foot].slice(0, canvas.rows);
};

const deviceLine = (
  device: DeviceView,
  index: number,
  fit: (text: string) => string,
  paint: typeof plain,
): string => {
  const process = device.state === 'on' ? String(device.pid) : device.state;
  const dots = device.connected.map((is, other) => (other === index ? '-' : is ? '●' : '·')).join(' ');
  const line = fit(
    ` ${index + 1}  ${device.name.padEnd(nameWidth)} ${process.padEnd(pidWidth)} ${dots}   ${device.now}`,
  );
  if (device.state !== 'on') return paint.faint(line);
  return line.replaceAll('●', paint.good('●')).replaceAll('·', paint.faint('·'));
};

const clip = (text: string, columns: number): string =>
  text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;

const inColour =
  (on: number, off: number) =>
  (text: string): string =>
    `\x1b[${on}m${text}\x1b[${off}m`;
const colours = { strong: inColour(1, 22), faint: inColour(2, 22), good: inColour(32, 39) };
const asIs = (text: string): string => text;
const plain: typeof colours = { strong: asIs, faint: asIs, good: asIs };
