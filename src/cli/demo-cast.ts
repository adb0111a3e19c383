/**
 * Who plays in the demo: a device a line, the scripts it runs and what is worth seeing of it; and the rules of the play.
 * Relies on the scripts and rules in `examples/home`, which the package carries too.
 */
import { fileURLToPath } from 'node:url';

/** One device of the demo's home. */
export interface Part {
  /** Its peer's name, and the name of its home directory. */
  readonly name: string;
  /** What brings its Things. */
  readonly scripts: readonly string[];
  /** Whether it exposes this machine itself. */
  readonly system: boolean;
  /** Properties to observe. */
  readonly watches: readonly string[];
  /** Their values in a few words; a value that was never heard is undefined. */
  readonly shows: (values: Readonly<Record<string, unknown>>) => string;
}

const script = (name: string): string =>
  fileURLToPath(new URL(`../../examples/home/${name}`, import.meta.url));

const part = (
  name: string,
  scripts: readonly string[],
  watches: readonly string[],
  shows: Part['shows'],
): Part => ({
  name,
  scripts: scripts.map(script),
  system: false,
  watches,
  shows,
});

const fixed = (value: unknown, digits: number, unit: string): string =>
  typeof value === 'number' ? `${value.toFixed(digits)} ${unit}` : `? ${unit}`;

const lampState = ({ on, brightness }: Readonly<Record<string, unknown>>): string =>
  on === undefined ? '' : on ? `on, ${brightness} %` : 'off';

/** The cast. The first one founds the fabric and invites the others: what looks most like a hub, and is none. */
export const cast: readonly Part[] = [
  {
    ...part('computer', [], ['load1', 'memoryUsed'], ({ load1, memoryUsed }) =>
      [
        typeof load1 === 'number' && `load ${load1.toFixed(1)}`,
        typeof memoryUsed === 'number' && `memory ${memoryUsed.toFixed(0)} %`,
      ]
        .filter(Boolean)
        .join(', '),
    ),
    system: true,
  },
  part('speaker', ['speaker.js'], ['answer'], ({ answer }) => (answer ? `"${answer}"` : 'listens')),
  part('kitchen-lamp', ['kitchen-lamp.js'], ['on', 'brightness'], lampState),
  part(
    'reading-lamp',
    ['reading-lamp.js', 'sensor.js'],
    ['on', 'brightness', 'temperature', 'window'],
    (values) => `${lampState(values)}; ${fixed(values.temperature, 1, '°C')}, window ${values.window ?? '?'}`,
  ),
  part('thermostat', ['thermostat.js'], ['target', 'measured', 'heating'], ({ target, measured, heating }) =>
    target === undefined
      ? ''
      : `${fixed(measured, 1, '°C')} of ${fixed(target, 0, '°C')}, ${heating ? 'heating' : 'not heating'}`,
  ),
  part('camera', ['camera.js'], ['lastPerson'], ({ lastPerson }) =>
    lastPerson ? `saw ${lastPerson}` : 'sees nobody',
  ),
  part('door', ['door.js'], ['visitor', 'locked'], ({ visitor, locked }) =>
    locked === undefined ? '' : `${visitor || 'nobody'} is there, ${locked ? 'locked' : 'unlocked'}`,
  ),
];

/** What the devices do because of each other: the rules that the founder gives the home. */
export const rulesFile = fileURLToPath(new URL('../../examples/home/rules.yaml', import.meta.url));
