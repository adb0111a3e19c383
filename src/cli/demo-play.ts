/**
 * Everyday life in the demo's home: now and then somebody speaks, comes by or opens the window, until it is closed.
 * Relies on the scenes; one whose device is switched off is left out.
 */
import { setTimeout } from 'node:timers/promises';
import { toAlthingError } from '../core/errors.ts';
import type { DemoHome } from './demo-home.ts';
import { comeBy, moveWindow, say } from './demo-scenes.ts';

/** Slow enough to follow what one scene leads to. */
const pauseMs = 5000;
/** Until the next scene, where a device of this one is switched off. */
const absentPauseMs = 500;

const scenes: readonly (readonly [device: string, play: (home: DemoHome) => Promise<unknown>])[] = [
  ['speaker', (home) => say(home, 'lights on')],
  ['camera', (home) => comeBy(home, 'Anna')],
  ['reading-lamp', (home) => moveWindow(home, 'open')],
  ['speaker', (home) => say(home, 'dim the reading lamp')],
  ['reading-lamp', (home) => moveWindow(home, 'closed')],
  ['speaker', (home) => say(home, 'kitchen light off')],
  ['camera', (home) => comeBy(home, 'Ben')],
  ['speaker', (home) => say(home, 'reading lamp bright')],
  ['camera', (home) => comeBy(home, 'the postwoman')],
  ['speaker', (home) => say(home, 'lights off')],
];

/** Plays scene after scene until the signal is aborted. What fails is told, and life goes on. */
export const playLife = async (home: DemoHome, signal: AbortSignal): Promise<void> => {
  for (let next = 0; !signal.aborted; next = (next + 1) % scenes.length) {
    const [device, play] = scenes[next]!;
    if (home.device(device).state !== 'on') {
      await pause(absentPauseMs, signal);
      continue;
    }
    try {
      await play(home);
    } catch (thrown) {
      // Its device may have been switched off in the middle of it.
      if (!signal.aborted) home.tell({ event: 'failed', text: toAlthingError(thrown).message });
    }
    await pause(pauseMs, signal);
  }
};

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  setTimeout(ms, undefined, { signal }).catch(() => {
    // Aborted: the loop sees it.
  });
