/**
 * The logger that every part takes, in pino's calling shape.
 * Relies on nothing; `cli/` puts pino behind it, tests a recorder.
 */

/** Structured logging: an object of facts first, then a sentence. */
export interface Logger {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
  child(facts: object): Logger;
}

/** A logger that keeps nothing. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
