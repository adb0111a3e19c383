/*
 * A button by the bed. `press` stands for your finger; what follows is said by rules.
 *
 *   althing up --name bedroom --things button.js
 *   althing invoke bed-button press
 */
export default async (wot) => {
  const thing = await wot.produce({
    title: 'Bed button',
    '@type': 'Button',
    actions: { press: {} },
    events: { pressed: {} },
  });
  thing.setActionHandler('press', () => thing.emitEvent('pressed'));
  await thing.expose();
};
