/**
 * The demo on a terminal: draws the picture a few times a second at most, and reads keys.
 * Relies on a terminal with an alternate screen, which it leaves as it found it, however the process ends.
 */
import { writeSync } from 'node:fs';
import { relative } from 'node:path';
import { launcher } from './demo-device.ts';
import { type Fact, factText } from './demo-facts.ts';
import type { DemoHome } from './demo-home.ts';
import { drawPicture, type View } from './demo-picture.ts';

/** Calm: changes are gathered for this long. */
const drawEveryMs = 200;
const keptLines = 200;
const enter = '\x1b[?1049h\x1b[?25l\x1b[2J';
const leave = '\x1b[?25h\x1b[?1049l';
const ctrlC = '\u0003';

export interface ScreenOptions {
  /** Somebody pressed q or Ctrl-C. */
  readonly onQuit: () => void;
  /** Somebody pressed the key of a device: 0 for the first one. */
  readonly onDevice: (index: number) => void;
}

/** The picture on this process's terminal. */
export class DemoScreen {
  readonly #options: ScreenOptions;
  readonly #lines: { time: string; text: string }[] = [];
  readonly #colour = !process.env.NO_COLOR;
  #home: DemoHome | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ScreenOptions) {
    this.#options = options;
    process.stdout.write(enter);
    process.on('exit', this.#restore);
    // Before the error is told, or it would be lost with the alternate screen.
    process.on('uncaughtExceptionMonitor', this.#restore);
    process.stdout.on('resize', this.#onResize);
    if (!process.stdin.isTTY) return;
    process.stdin.setRawMode(true);
    process.stdin.on('data', this.#onKeys);
    // The terminal is gone.
    process.stdin.on('end', options.onQuit);
    process.stdin.on('error', options.onQuit);
  }

  /** From now on this home is shown. */
  show(home: DemoHome): void {
    this.#home = home;
    this.changed();
  }

  /** A fact: a line of its own where it is worth one. */
  tell(fact: Fact): void {
    const text = factText(fact);
    if (text === undefined) return;
    this.#lines.push({ time: new Date().toTimeString().slice(0, 8), text });
    if (this.#lines.length > keptLines) this.#lines.shift();
    this.changed();
  }

  /** Something is to be drawn anew, soon. */
  changed(): void {
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#draw();
    }, drawEveryMs);
  }

  /** Gives the terminal back. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    process.stdout.off('resize', this.#onResize);
    process.off('exit', this.#restore);
    process.off('uncaughtExceptionMonitor', this.#restore);
    process.stdout.write(leave);
    if (!process.stdin.isTTY) return;
    process.stdin.off('data', this.#onKeys);
    process.stdin.setRawMode(false);
    process.stdin.pause();
  }

  #draw(): void {
    if (!this.#home) return;
    const { columns = 80, rows = 24 } = process.stdout;
    const lines = drawPicture(viewOf(this.#home, this.#lines), { columns, rows, colour: this.#colour });
    // Over what is there, line by line: clearing the screen first would flicker.
    process.stdout.write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\r\n')}\x1b[J`);
  }

  readonly #onResize = (): void => this.changed();

  readonly #onKeys = (keys: Buffer): void => {
    for (const key of keys.toString()) {
      if (key === 'q' || key === ctrlC) this.#options.onQuit();
      else if (key >= '1' && key <= '9') this.#options.onDevice(Number(key) - 1);
    }
  };

  /** At an exit that nobody waits for. */
  readonly #restore = (): void => {
    try {
      writeSync(process.stdout.fd, leave);
    } catch {
      // The terminal is gone: there is nothing to give back.
    }
  };
}

const viewOf = (home: DemoHome, lines: View['lines']): View => {
  const { devices } = home;
  const talkTo = [home.device('speaker'), ...devices].find(({ state }) => state === 'on');
  return {
    devices: devices.map((device) => ({
      name: device.name,
      pid: device.pid,
      state: device.state,
      connected: devices.map((other) => device.sees.has(other.peer) && other.sees.has(device.peer)),
      now: device.state === 'on' ? device.part.shows(device.values) : '',
    })),
    lines,
    commands: talkTo
      ? ['things', 'invoke speaker say "kitchen light on"', 'why kitchen-lamp'].map(
          (command) => `${program()} ${command} --home ${talkTo.home}`,
        )
      : [],
  };
};

/** How a person in this directory calls the program. */
const program = (): string => {
  const path = relative(process.cwd(), launcher);
  return path.startsWith('..') ? launcher : path;
};
