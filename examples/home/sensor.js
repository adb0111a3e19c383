/*
 * A room's temperature, and whether its window is open. The room is a simulated one: it gets cold when its window is
 * open. Read your sensors in `measure`.
 *
 *   althing up --name sensor --things sensor.js
 *   althing observe room-sensor temperature
 */
export default async (wot) => {
  const thing = await wot.produce({
    title: 'Room sensor',
    '@type': 'TemperatureSensor',
    properties: {
      temperature: { type: 'number', unit: 'Cel', readOnly: true, observable: true },
      window: {
        description: 'The window of the simulated room.',
        enum: ['open', 'closed'],
        observable: true,
      },
    },
  });

  let temperature = 21.4;
  let window = 'closed';

  /** A second of the room's life, which is never quite still. */
  const measure = (second) => {
    const outside = window === 'open' ? 14 : second % 20 < 10 ? 21.5 : 21.4;
    const step = Math.max(-0.5, Math.min(0.3, outside - temperature));
    temperature = Math.round((temperature + step) * 10) / 10;
  };

  thing.setPropertyReadHandler('temperature', () => temperature);
  thing.setPropertyReadHandler('window', () => window);
  thing.setPropertyWriteHandler('window', async (input) => {
    window = await input.value();
    await thing.emitPropertyChange('window');
  });
  await thing.expose();

  let second = 0;
  setInterval(async () => {
    const before = temperature;
    measure(second++);
    if (temperature !== before) await thing.emitPropertyChange('temperature');
  }, 1000);
};
