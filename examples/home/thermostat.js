/*
 * A thermostat that follows a temperature sensor on another device, and heats where it is too cold.
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
        description: 'What the sensor says, null while there is none.',
        oneOf: [{ type: 'number' }, { type: 'null' }],
        unit: 'Cel',
        readOnly: true,
        observable: true,
      },
      heating: { type: 'boolean', readOnly: true, observable: true },
    },
  });

  let target = 21;
  let measured = null;
  let heating = false;

  /** Decides anew, half a degree apart so that it does not flutter, and tells what has changed. */
  const regulate = async (temperature) => {
    const before = { measured, heating };
    measured = temperature;
    // Without a measurement nothing may be heated.
    if (measured === null || measured >= target) heating = false;
    else if (measured < target - 0.5) heating = true; // Here your boiler or valve is switched.
    if (measured !== before.measured) await thing.emitPropertyChange('measured');
    if (heating !== before.heating) await thing.emitPropertyChange('heating');
  };

  thing.setPropertyReadHandler('target', () => target);
  thing.setPropertyWriteHandler('target', async (input) => {
    target = await input.value();
    await thing.emitPropertyChange('target');
    await regulate(measured);
  });
  thing.setPropertyReadHandler('measured', () => measured);
  thing.setPropertyReadHandler('heating', () => heating);
  await thing.expose();

  /** The sensor that is followed, and when it was heard last. */
  let followed;
  let heardAt = 0;

  const hear = async (data) => {
    heardAt = Date.now();
    await regulate(await data.value());
  };

  const follow = async (td) => {
    followed = td;
    const giveUp = (error) => {
      if (error.code === 'values-missed') return;
      followed = undefined;
      console.warn(`${td.title}: ${error.code}: ${error.message}`);
    };
    try {
      const sensor = await wot.consume(td);
      await sensor.observeProperty('temperature', hear, giveUp);
      await hear(await sensor.readProperty('temperature')); // Observing tells of changes only.
    } catch (error) {
      giveUp(error);
    }
  };

  /** Looks for a sensor while there is none, and stops heating where the one that there was has fallen silent. */
  const look = async () => {
    if (followed && Date.now() - heardAt > 30_000) await regulate(null);
    if (followed) return;
    const [sensor] = await wot.discover({ fragment: { '@type': 'TemperatureSensor' } });
    if (sensor) await follow(sensor);
  };
  setInterval(look, 1000);
  await look();
};
