/*
 * A speaker that understands sentences about lamps, and switches them itself: no hub between it and them.
 * Speech recognition is left to you: here a sentence comes in as text.
 *
 *   althing up --name speaker --things speaker.js
 *   althing invoke speaker say "kitchen light on"
 */
export default async (wot) => {
  const thing = await wot.produce({
    title: 'Speaker',
    '@type': 'Speaker',
    properties: { answer: { type: 'string', readOnly: true, observable: true } },
    actions: {
      say: {
        description: 'For example "lights on", "kitchen light off", "dim the reading lamp".',
        input: { type: 'string', maxLength: 200 },
        output: { type: 'string' },
      },
    },
  });

  let answer = '';
  thing.setPropertyReadHandler('answer', () => answer);
  thing.setActionHandler('say', async (input) => {
    const words = (await input.value()).toLowerCase().match(/\p{L}+/gu) ?? [];
    const order = orders.find(({ word }) => words.includes(word));
    answer = order ? await everyLamp(words, order) : 'I know "on", "off", "dim" and "bright".';
    await thing.emitPropertyChange('answer');
    return answer;
  });

  /** Gives the order to every lamp that the words mean, all at the same time. */
  const everyLamp = async (words, order) => {
    // Asked anew for every sentence, so that new lamps are heard of. It costs nothing: every device knows all Things.
    const lamps = await wot.discover({ fragment: { '@type': 'Light', properties: { on: {} } } });
    const named = lamps.filter(({ title }) => nameOf(title).some((word) => words.includes(word)));
    const answers = (named.length > 0 ? named : lamps).map(async (td) => {
      try {
        const lamp = await wot.consume(td);
        await order.give(lamp);
        return `${td.title} ${order.done}.`;
      } catch (error) {
        // One lamp that is out of reach keeps no other from being switched.
        console.warn(`${td.title}: ${error.code}: ${error.message}`);
        return `${td.title} does not answer.`;
      }
    });
    return (await Promise.all(answers)).join(' ') || 'There is no lamp.';
  };

  await thing.expose();
};

const orders = [
  { word: 'on', done: 'is on', give: (lamp) => lamp.writeProperty('on', true) },
  { word: 'off', done: 'is off', give: (lamp) => lamp.writeProperty('on', false) },
  { word: 'dim', done: 'is dimmed', give: (lamp) => lamp.invokeAction('fade', { brightness: 20 }) },
  { word: 'bright', done: 'is bright', give: (lamp) => lamp.invokeAction('fade', { brightness: 100 }) },
];

/** "Kitchen lamp" is meant where "kitchen" is said: the rest is what all lamps have in common. */
const nameOf = (title) =>
  title
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => !['lamp', 'light', 'the'].includes(word));
