/*
 * A dimmable lamp. It only remembers its state: put your bulb, relay or GPIO pin where `show` is.
 *
 *   althing up --name kitchen --things lamp.js
 */

/** A script that exposes a lamp of this title. One line makes a second lamp: see kitchen-lamp.js. */
export const lamp = (title) => async (wot) => {
  let on = false;
  let brightness = 100;

  const thing = await wot.produce({
    title,
    '@type': 'Light',
    properties: {
      on: { type: 'boolean', observable: true },
      brightness: { type: 'integer', minimum: 0, maximum: 100, unit: 'percent', observable: true },
    },
    actions: {
      toggle: { output: { type: 'boolean' } },
      // Takes a while: the caller gets the state of the fading at once, and may ask again or cancel it.
      fade: {
        synchronous: false,
        input: {
          type: 'object',
          properties: {
            brightness: { type: 'integer', minimum: 0, maximum: 100 },
            seconds: { type: 'number', minimum: 0, maximum: 600 },
          },
          required: ['brightness'],
        },
      },
    },
  });

  /** Switches the lamp and tells whoever observes it. */
  const show = async (state) => {
    const before = { on, brightness };
    ({ on, brightness } = { ...before, ...state }); // Here your lamp is switched.
    if (on !== before.on) await thing.emitPropertyChange('on');
    if (brightness !== before.brightness) await thing.emitPropertyChange('brightness');
  };

  thing.setPropertyReadHandler('on', () => on);
  thing.setPropertyWriteHandler('on', async (input) => show({ on: await input.value() }));
  thing.setPropertyReadHandler('brightness', () => brightness);
  thing.setPropertyWriteHandler('brightness', async (input) => show({ brightness: await input.value() }));
  thing.setActionHandler('toggle', async () => {
    await show({ on: !on });
    return on;
  });
  thing.setActionHandler('fade', async (input, { signal }) => {
    const { brightness: to, seconds = 1 } = await input.value();
    const from = brightness;
    const steps = Math.max(1, Math.round(seconds * 5));
    for (let step = 1; step <= steps && !signal.aborted; step++) {
      await show({ brightness: Math.round(from + ((to - from) * step) / steps) });
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  });

  await thing.expose();
};

export default lamp('Lamp');
