/*
 * A door that shows who is there, told by every camera of the home, and that can be locked.
 *
 *   althing up --name door --things door.js
 *   althing observe door visitor
 */
export default async (wot) => {
  const thing = await wot.produce({
    title: 'Door',
    '@type': 'Door',
    properties: {
      visitor: { type: 'string', readOnly: true, observable: true },
      locked: { type: 'boolean', readOnly: true, observable: true },
    },
    actions: { lock: {}, unlock: {} },
  });

  let visitor = '';
  let locked = true;
  const setLocked = async (value) => {
    locked = value; // Here your lock moves.
    await thing.emitPropertyChange('locked');
  };
  thing.setPropertyReadHandler('visitor', () => visitor);
  thing.setPropertyReadHandler('locked', () => locked);
  thing.setActionHandler('lock', () => setLocked(true));
  thing.setActionHandler('unlock', () => setLocked(false));
  await thing.expose();

  /** Ids of the cameras that tell us. */
  const heard = new Set();

  const listenTo = async (td) => {
    heard.add(td.id);
    const giveUp = (error) => {
      // Some values are missing: the subscription goes on. Anything else has ended it: the next look begins anew.
      if (error.code === 'values-missed') return;
      heard.delete(td.id);
      console.warn(`${td.title}: ${error.code}: ${error.message}`);
    };
    const show = async (data) => {
      const person = await data.value();
      if (person === visitor) return;
      visitor = person;
      await thing.emitPropertyChange('visitor');
    };
    try {
      const camera = await wot.consume(td);
      // Goes on by itself when the camera was off for a while.
      await camera.subscribeEvent('personSeen', show, giveUp);
      // Events tell what happens from now on: who was there last is asked for once.
      await show(await camera.readProperty('lastPerson'));
    } catch (error) {
      giveUp(error);
    }
  };

  /** Cameras come and go: looks for new ones, among what this device knows by itself. */
  const look = async () => {
    const cameras = await wot.discover({ fragment: { '@type': 'Camera', events: { personSeen: {} } } });
    await Promise.all(cameras.filter(({ id }) => !heard.has(id)).map(listenTo));
  };
  setInterval(look, 1000);
  await look();
};
