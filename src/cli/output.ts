/**
 * What a command says: its answer on stdout, everything else on stderr, as JSON or for people.
 * Relies on the two streams it is given and on the error table.
 */
import { type AlthingError, errorTable } from '../core/errors.ts';

/** The part of a writable stream that is needed here. */
export interface TextStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): boolean;
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
}

/** Text out of other devices, safe on a terminal: control characters, which could rewrite the screen, are replaced. */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd');

/** One command's output. */
export interface Output {
  /** Whether `--json` was given. */
  readonly json: boolean;
  /** Whether a person looks at stdout. */
  readonly isTerminal: boolean;
  /** Aborted when the reader of stdout has gone away (`| head`): streams stop then. */
  readonly closed: AbortSignal;
  /** The answer, or one item of a stream: `value` as one line of JSON, or what `human` makes of it. */
  answer(value: unknown, human: () => string): void;
  /** A remark for people; says nothing under `--json`. */
  note(text: string): void;
  /** A failure: one line of JSON `{error:{code,message,hint}}`, or message and hint. */
  failure(error: AlthingError): void;
}

/** @param json whether `--json` was given; @param stdout for answers; @param stderr for all the rest */
export const createOutput = (json: boolean, stdout: TextStream, stderr: TextStream): Output => {
  const closed = new AbortController();
  stdout.on('error', (error) => {
    if (error.code === 'EPIPE') closed.abort();
    else throw error;
  });
  stderr.on('error', () => {
    // Nobody reads the remarks any more: there is no other place to say so, and the work goes on.
  });
  return {
    json,
    isTerminal: stdout.isTTY === true,
    closed: closed.signal,
    answer: (value, human) => {
      if (closed.signal.aborted) return;
      stdout.write(`${json ? JSON.stringify(value ?? null) : printable(human())}\n`);
    },
    note: (text) => {
      if (!json) stderr.write(`${text}\n`);
    },
    failure: (error) => {
      const { hint } = errorTable[error.code];
      if (json) {
        const { code, message, details } = error;
        stderr.write(`${JSON.stringify({ error: { code, message, hint, ...(details && { details }) } })}\n`);
      } else stderr.write(printable(`althing: ${error.message}\n${hint}\n`));
    },
  };
};
