/**
 * `althing demo`: a whole home on this machine, a process a device; live on a terminal, or once as text.
 * Relies on the program itself for the devices and on their gateways for everything that it tells.
 */
import { toAlthingError } from '../core/errors.ts';
import type { RunCommand } from './command.ts';
import { type Fact, factText } from './demo-facts.ts';
import { DemoHome } from './demo-home.ts';
import { playLife } from './demo-play.ts';
import { DemoScreen } from './demo-screen.ts';
import { playStory } from './demo-story.ts';
import { interruption } from './interrupt.ts';
import type { Output } from './output.ts';

export const run: RunCommand = async ({ options, out }) => {
  const live = out.isTerminal && !out.json && !options.once;
  if (live) return runLive(out);
  if (!options.once) out.note('This is no terminal: the story is told once, as with --once.');
  return runOnce(out);
};

/** Tells the story and ends. Throws what went wrong in it. */
const runOnce = async (out: Output): Promise<void> => {
  const told: Fact[] = [];
  const home = await DemoHome.create({
    signal: AbortSignal.any([interruption(), out.closed]),
    strict: true,
    onFact: (fact) => {
      told.push(fact);
      tellFact(out, fact);
    },
  });
  try {
    await playStory(home, told);
  } catch (thrown) {
    for (const { name, complaints } of home.devices)
      for (const line of complaints) out.note(`${name}: ${line}`);
    throw await home.causeOf(thrown);
  } finally {
    await home.close();
  }
};

const tellFact = (out: Output, fact: Fact): void => {
  const text = factText(fact);
  if (text === undefined && !out.json) return;
  const indented = fact.event === 'scene' ? `\n${text}` : fact.event === 'over' ? `\n${text}` : `  ${text}`;
  out.answer({ time: new Date().toISOString(), ...fact }, () => indented);
};

/** Shows the home until somebody quits. */
const runLive = async (out: Output): Promise<void> => {
  const quit = new AbortController();
  const stop = AbortSignal.any([interruption(), out.closed, quit.signal]);
  let last: Fact | undefined;
  const screen = new DemoScreen({
    onQuit: () => quit.abort(),
    onDevice: (index) => void toggle(index),
  });
  const home = await DemoHome.create({
    signal: stop,
    strict: false,
    onFact: (fact) => {
      last = fact;
      screen.tell(fact);
    },
    onChange: () => screen.changed(),
  });
  const toggle = async (index: number): Promise<void> => {
    const device = home.devices[index];
    try {
      if (device) await (device.state === 'on' ? home.switchOff(device) : home.switchOn(device));
    } catch (thrown) {
      if (!stop.aborted) home.tell({ event: 'failed', text: toAlthingError(thrown).message });
    }
  };
  try {
    screen.show(home);
    await home.open();
    await playLife(home, stop);
  } catch (thrown) {
    // Being stopped is how this ends.
    if (!stop.aborted) throw thrown;
  } finally {
    screen.close();
    await home.close();
    if (last) tellFact(out, last);
  }
};
