/*
 * A sensor of motion and light on a wall. It sees nothing: `pretend` stands for your detector.
 *
 *   althing up --name hall --things motion-sensor.js
 *   althing invoke motion-sensor pretend
 */

/** How long after the last motion the sensor says that there is none. */
const holdMs = 1000;

/** A script that exposes a sensor of this title. One line makes a second one: see hall-sensor.js. */
export const motionSensor = (title) => async (wot) => {
  const thing = await wot.produce({
    title,
    '@type': ['MotionSensor', 'LightSensor'],
    properties: {
      motion: { type: 'boolean', readOnly: true, observable: true },
      illuminance: {
        description: 'How light it is. You are the daylight: write it.',
        type: 'number',
        unit: 'lux',
        minimum: 0,
        observable: true,
      },
    },
    actions: { pretend: { description: 'Pretend that somebody moves.' } },
  });

  let motion = false;
  let illuminance = 5;
  let end;
  const setMotion = async (value) => {
    if (value === motion) return;
    motion = value;
    await thing.emitPropertyChange('motion');
  };
  thing.setPropertyReadHandler('motion', () => motion);
  thing.setPropertyReadHandler('illuminance', () => illuminance);
  thing.setPropertyWriteHandler('illuminance', async (input) => {
    illuminance = await input.value();
    await thing.emitPropertyChange('illuminance');
  });
  thing.setActionHandler('pretend', async () => {
    clearTimeout(end);
    end = setTimeout(setMotion, holdMs, false);
    await setMotion(true);
  });

  await thing.expose();
};

export default motionSensor('Motion sensor');
