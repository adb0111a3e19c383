/*
 * A door that shows who is there, and that can be locked. Who tells it so and for whom it opens is said by rules, such as
 * ../rules/camera-door.yaml. It is a Lock too: admins, those with a grant, and an admin's rules command it, nobody else.
 *
 *   althing up --name door --things door.js
 *   althing observe door visitor
 */
export default async (wot) => {
  const thing = await wot.produce({
    title: 'Door',
    '@type': ['Door', 'Lock'],
    properties: {
      visitor: { type: 'string', readOnly: true, observable: true },
      locked: { type: 'boolean', readOnly: true, observable: true },
    },
    actions: {
      show: { description: 'Show who is there.', input: { type: 'string', maxLength: 60 } },
      lock: {},
      unlock: {},
    },
  });

  let visitor = '';
  let locked = true;
  const setLocked = async (value) => {
    if (value === locked) return;
    locked = value; // Here your lock moves.
    await thing.emitPropertyChange('locked');
  };
  thing.setPropertyReadHandler('visitor', () => visitor);
  thing.setPropertyReadHandler('locked', () => locked);
  thing.setActionHandler('show', async (input) => {
    visitor = await input.value();
    await thing.emitPropertyChange('visitor');
  });
  thing.setActionHandler('lock', () => setLocked(true));
  thing.setActionHandler('unlock', () => setLocked(false));

  await thing.expose();
};
