/*
 * A camera that tells whom it sees. It has no lens: `pretend` stands for your detector.
 *
 *   althing up --name camera --things camera.js
 *   althing subscribe camera personSeen
 */
export default async (wot) => {
  const thing = await wot.produce({
    title: 'Camera',
    '@type': 'Camera',
    properties: { lastPerson: { type: 'string', readOnly: true, observable: true } },
    actions: {
      pretend: {
        description: 'Pretend that this person stands there.',
        input: { type: 'string', maxLength: 60 },
      },
    },
    events: { personSeen: { data: { type: 'string' } } },
  });

  let lastPerson = '';
  thing.setPropertyReadHandler('lastPerson', () => lastPerson);
  thing.setActionHandler('pretend', async (input) => {
    lastPerson = await input.value();
    // The camera need not know who listens: what follows is said by rules, which run on its device.
    await thing.emitEvent('personSeen', lastPerson);
    await thing.emitPropertyChange('lastPerson');
  });

  await thing.expose();
};
