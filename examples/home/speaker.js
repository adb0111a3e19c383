/*
 * A speaker that understands sentences about lamps, and says what it is told to. What a sentence leads to is said by
 * rules, such as rules.yaml, which run on its device: no hub between it and the lamps.
 * Speech recognition is left to you: here a sentence comes in as text.
 *
 *   althing up --name speaker --things speaker.js
 *   althing invoke speaker say "kitchen light on"
 *   althing invoke speaker announce "Dinner is ready"
 */
export default async (wot) => {
  const thing = await wot.produce({
    title: 'Speaker',
    '@type': 'Speaker',
    properties: { answer: { type: 'string', readOnly: true, observable: true } },
    actions: {
      say: {
        description: 'To the speaker: "lights on", "kitchen light off", "dim the reading lamp".',
        input: { type: 'string', maxLength: 200 },
      },
      announce: {
        description: 'By the speaker.',
        input: { type: 'string', maxLength: 200 },
      },
    },
    events: {
      order: {
        data: {
          type: 'object',
          properties: {
            what: { enum: orders },
            which: { description: 'The word for the lamps that are meant, or "all".', type: 'string' },
          },
        },
      },
    },
  });

  let answer = '';
  const announce = async (text) => {
    answer = text; // Here your speaker speaks.
    await thing.emitPropertyChange('answer');
  };
  thing.setPropertyReadHandler('answer', () => answer);
  thing.setActionHandler('announce', async (input) => announce(await input.value()));
  thing.setActionHandler('say', async (input) => {
    const words = (await input.value()).toLowerCase().match(/\p{L}+/gu) ?? [];
    const what = words.find((word) => orders.includes(word));
    if (!what) return announce('I know "on", "off", "dim" and "bright".');
    const which = words.find((word) => word !== what && !common.includes(word)) ?? 'all';
    await thing.emitEvent('order', { what, which });
  });

  await thing.expose();
};

const orders = ['on', 'off', 'dim', 'bright'];
/** Words that say nothing of which lamps are meant. */
const common = ['the', 'all', 'light', 'lights', 'lamp', 'lamps', 'turn', 'switch', 'make', 'please'];
