/**
 * The log of a running peer on stderr: lines for people on a terminal, pino's JSON lines everywhere else.
 * Relies on pino, loaded only where JSON is written: it costs 9 MB and 25 ms.
 */
import { AlthingError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { printable, type TextStream } from './output.ts';

const levels = ['debug', 'info', 'warn', 'error'] as const;
type Level = (typeof levels)[number];

/** A line that nobody takes is dropped once this much waits. */
const queuedLogSizeBytes = 1024 * 1024;

/** The level out of `ALTHING_LOG` (debug, info, warn, error; default info). Throws `bad-option`. */
export const logLevel = (env: Readonly<Record<string, string | undefined>>): Level => {
  const given = env.ALTHING_LOG || 'info';
  const level = levels.find((name) => name === given);
  if (level === undefined)
    throw new AlthingError('bad-option', `ALTHING_LOG is one of ${levels.join(', ')}, not "${given}".`);
  return level;
};

/** JSON lines of pino on stderr. Never holds the event loop: lines are dropped while nobody takes them. */
export const createJsonLogger = async (level: Level): Promise<Logger> => {
  const { pino } = await import('pino');
  const destination = pino.destination({ dest: 2, sync: false, maxLength: queuedLogSizeBytes });
  destination.on('error', () => {
    // The reader of stderr has gone away; a peer works on without a log.
  });
  process.on('exit', () => {
    try {
      destination.flushSync();
    } catch {
      // Not open yet or gone: at exit there is nowhere left to say so.
    }
  });
  const logger: Logger = pino({ level, base: null }, destination);
  return logger;
};

const showFact = (value: unknown): string => {
  if (value instanceof Error)
    return value instanceof AlthingError ? `${value.code}: ${value.message}` : value.message;
  return JSON.stringify(value)?.replace(/^"([^\s"=\\]+)"$/, '$1') ?? 'undefined';
};

/** Lines for people: time, level where it matters, the sentence, then the facts. */
export const createHumanLogger = (level: Level, stream: TextStream, now: () => Date): Logger => {
  const dim = (text: string): string => (stream.isTTY ? `\x1b[2m${text}\x1b[22m` : text);
  const write = (line: Level, context: object, facts: object, message: string): void => {
    if (levels.indexOf(line) < levels.indexOf(level)) return;
    const time = now().toTimeString().slice(0, 8);
    const mark = line === 'info' ? '' : `${line}: `;
    const shown = Object.entries({ ...context, ...facts })
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}=${showFact(value)}`)
      .join(' ');
    stream.write(`${dim(time)} ${mark}${printable(message)}${shown && ` ${dim(printable(shown))}`}\n`);
  };
  const loggerWith = (context: object): Logger => ({
    debug: (facts, message) => write('debug', context, facts, message),
    info: (facts, message) => write('info', context, facts, message),
    warn: (facts, message) => write('warn', context, facts, message),
    error: (facts, message) => write('error', context, facts, message),
    child: (facts) => loggerWith({ ...context, ...facts }),
  });
  return loggerWith({});
};
