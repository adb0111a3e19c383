/**
 * The passphrase of a backup: out of ALTHING_PASSPHRASE, typed without echo on a terminal, else the first line of stdin.
 * Relies on readline for editing; what is typed goes nowhere else.
 */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { AlthingError } from '../core/errors.ts';

/** The part of a readable terminal or pipe that is needed here. */
export type PassphraseInput = NodeJS.ReadableStream & { readonly isTTY?: boolean };

export interface PassphraseOptions {
  /** Ask twice on a terminal, and refuse what is too short: for a passphrase that is set now. */
  readonly isNew: boolean;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: PassphraseInput;
  readonly prompt?: (text: string) => void;
}

/** The key in a backup is this peer itself: what guards it is no PIN. */
const shortest = 8;

/** Throws `bad-input` where there is none, where two typings differ, and for a new one below 8 characters. */
export const readPassphrase = async (options: PassphraseOptions): Promise<string> => {
  const { isNew, env = process.env, input = process.stdin } = options;
  const prompt = options.prompt ?? ((text) => void process.stderr.write(text));
  const passphrase = env.ALTHING_PASSPHRASE || (await ask(input, prompt, input.isTTY && isNew ? 2 : 1));
  if (passphrase === '')
    throw new AlthingError(
      'bad-input',
      'No passphrase was given: type it, pipe it in, or set ALTHING_PASSPHRASE.',
    );
  if (isNew && [...passphrase].length < shortest)
    throw new AlthingError('bad-input', `A passphrase has at least ${shortest} characters.`);
  return passphrase;
};

const ask = async (
  input: PassphraseInput,
  prompt: (text: string) => void,
  times: number,
): Promise<string> => {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: nowhere, terminal: input.isTTY === true });
  const typed: string[] = [];
  try {
    const reading = lines[Symbol.asyncIterator]();
    for (let time = 1; time <= times; time++) {
      if (input.isTTY) prompt(time === 1 ? 'Passphrase: ' : 'Once more: ');
      const { value, done } = await reading.next();
      if (input.isTTY) prompt('\n');
      if (done) break;
      typed.push(value);
    }
  } finally {
    lines.close();
  }
  if (typed.some((one) => one !== typed[0]))
    throw new AlthingError('bad-input', 'The two passphrases differ: nothing was done.');
  return typed.length < times ? '' : typed[0]!;
};
