/**
 * What a script prints, as lines for the log: bounded in length and in number a second.
 * Relies on the stream being paused for a moment where a script prints without end.
 */
import type { Readable } from 'node:stream';
import { TokenBucket } from './token-bucket.ts';

/** Bounds on what is taken from one output. */
export interface OutputLimits {
  readonly lineChars: number;
  readonly linesPerSecond: number;
  /** Lines at once after a quiet time: a dump of something large goes through. */
  readonly linesAtOnce: number;
  readonly bytesPerSecond: number;
}

export const defaultOutputLimits: OutputLimits = {
  lineChars: 2000,
  linesPerSecond: 100,
  linesAtOnce: 1000,
  bytesPerSecond: 8 * 1024 * 1024,
};

/** Gives each line to `onLine`, and to `onDropped` once a second how many lines went over the limit. */
export const readOutput = (
  stream: Readable,
  onLine: (line: string) => void,
  onDropped: (lines: number) => void,
  limits: OutputLimits = defaultOutputLimits,
): void => {
  let line = '';
  const bucket = new TokenBucket(limits.linesPerSecond, limits.linesAtOnce, () => performance.now());
  let bytes = 0;
  let dropped = 0;
  let window: NodeJS.Timeout | undefined;

  const newWindow = (): void => {
    window = undefined;
    if (dropped > 0) onDropped(dropped);
    bytes = 0;
    dropped = 0;
    stream.resume();
  };
  const endLine = (): void => {
    if (line !== '') {
      if (bucket.tryTake()) onLine(line);
      else dropped++;
    }
    line = '';
  };

  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    window ??= setTimeout(newWindow, 1000);
    bytes += text.length;
    let from = 0;
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', from)) {
      line += text.slice(from, Math.min(at, from + limits.lineChars - line.length));
      endLine();
      from = at + 1;
    }
    line += text.slice(from, from + limits.lineChars - line.length);
    if (bytes > limits.bytesPerSecond) stream.pause();
  });
  stream.on('end', endLine);
  stream.on('close', () => {
    clearTimeout(window);
    if (dropped > 0) onDropped(dropped);
  });
};
