/*
 * A thermostat that heats where it is too cold. It has no sensor: what it is to take for the room's temperature is written
 * to `measured`, by a rule such as those of ../rules/thermostat-window.yaml.
 *
 *   althing up --name thermostat --things thermostat.js
 *   althing write thermostat target 19
 */
export default async (wot) => {
  const thing = await wot.produce({
    title: 'Thermostat',
    '@type': 'Thermostat',
    properties: {
      target: { type: 'number', unit: 'Cel', minimum: 5, maximum: 30, observable: true },
      measured: {
        description: 'How warm it is; null while nobody knows, and then nothing is heated.',
        oneOf: [{ type: 'number' }, { type: 'null' }],
        unit: 'Cel',
        observable: true,
      },
      heating: { type: 'boolean', readOnly: true, observable: true },
    },
  });

  let target = 21;
  let measured = null;
  let heating = false;

  /** Decides anew, half a degree apart so that it does not flutter, and tells what has changed. */
  const change = async (state) => {
    const before = { target, measured, heating };
    ({ target, measured } = { ...before, ...state });
    if (measured === null || measured >= target) heating = false;
    else if (measured < target - 0.5) heating = true; // Here your boiler or valve is switched.
    if (target !== before.target) await thing.emitPropertyChange('target');
    if (measured !== before.measured) await thing.emitPropertyChange('measured');
    if (heating !== before.heating) await thing.emitPropertyChange('heating');
  };

  thing.setPropertyReadHandler('target', () => target);
  thing.setPropertyWriteHandler('target', async (input) => change({ target: await input.value() }));
  thing.setPropertyReadHandler('measured', () => measured);
  thing.setPropertyWriteHandler('measured', async (input) => change({ measured: await input.value() }));
  thing.setPropertyReadHandler('heating', () => heating);

  await thing.expose();
};
