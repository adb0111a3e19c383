/**
 * Answers why a Thing is as it is: what it obeyed, followed across devices, and the same in sentences.
 * Relies on the devices' memories; the clock is passed in. Loaded when it is used.
 */
import type { WhyInfo } from '../../core/rule-shapes.ts';
import { type Memories, reasonsOf } from './memories.ts';
import { shownName, withNames } from './rule-lookup.ts';
import { whySentences } from './why-text.ts';

/** @param nowMs milliseconds since 1970. Throws `thing-unknown`, `name-ambiguous`. */
export const whyOf = async (memories: Memories, name: string, nowMs: number): Promise<WhyInfo> => {
  const { fabric } = memories;
  const { id: thing, title } = fabric.directory.resolve(name);
  const reasons = await reasonsOf(memories, thing);
  const sentences = whySentences(
    { thing, ...reasons },
    {
      nameOf: (id) => shownName(fabric, id),
      named: (text) => withNames(fabric, text),
      timeText: timeTextIn(fabric.book.place().zone, nowMs),
    },
  );
  const { commands, executions, unasked } = reasons;
  return {
    thing,
    title,
    commands: [...commands],
    executions: [...executions],
    unasked: [...unasked],
    sentences,
  };
};

/** Times on the wall clock of a zone: of today without the day. */
export const timeTextIn = (zone: string, nowMs: number): ((time: string) => string) => {
  const clock = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'medium',
  });
  const [today] = clock.format(nowMs).split(' ');
  return (time) => {
    const [day, at] = clock.format(Date.parse(time)).split(' ');
    return day === today ? at! : `${at} on ${day}`;
  };
};
