/**
 * The story of `demo --once`: the devices find each other, talk, lose the one that founded the home, and get it back.
 * Relies on facts alone: each scene waits for what the peers say of it and fails where they say otherwise.
 */
import { AlthingError } from '../core/errors.ts';
import type { DemoDevice } from './demo-device.ts';
import type { Fact } from './demo-facts.ts';
import type { DemoHome } from './demo-home.ts';
import { comeBy, moveWindow, say } from './demo-scenes.ts';

/**
 * Plays the story in a home that has nothing running yet. Throws at the first thing that does not come as promised.
 * @param told everything that was told so far; it grows while the story goes on
 */
export const playStory = async (home: DemoHome, told: readonly Fact[]): Promise<void> => {
  const { founder } = home;
  const scene = (text: string): void => home.tell({ event: 'scene', text });
  const story = new Story(home, told);

  scene(`${home.devices.length} devices, each a process with a key and a home directory of its own`);
  await home.open();
  await story.allKnowAll();

  scene('The speaker switches the lamps itself');
  await story.lamps(true);

  scene('The camera tells the door who is there');
  await story.visit('Anna');

  scene('The thermostat follows a sensor on another device');
  await story.openWindow();

  scene(`The ${founder.name} dies: it founded the home, invited everybody, and is the only admin`);
  await home.switchOff(founder);

  scene('The others go on');
  await story.lamps(false);
  await story.visit('Ben');

  scene(`The ${founder.name} comes back, and switches a lamp`);
  await home.switchOn(founder);
  await story.switchLamp(founder);
};

class Story {
  readonly #home: DemoHome;
  readonly #told: readonly Fact[];

  constructor(home: DemoHome, told: readonly Fact[]) {
    this.#home = home;
    this.#told = told;
  }

  /** Every device lists the Things of all, out of what it holds itself. */
  async allKnowAll(): Promise<void> {
    const { devices } = this.#home;
    const all = devices.flatMap(({ things }) => [...things.keys()]);
    const silent = devices.find(({ things }) => things.size === 0);
    if (silent)
      throw new AlthingError('script-failed', `${silent.name} exposes nothing: ${silent.lastComplaint}`);
    for (const device of devices) {
      let count = 0;
      await this.#home.poll(
        async () => {
          const known = await device.client.things();
          count = known.length;
          return all.every((id) => known.some((thing) => thing.id === id && thing.online));
        },
        () => `${device.name} to know ${all.length} Things: it knows ${count}`,
      );
    }
    const last = devices.at(-1)!;
    const things = (await last.client.things()).map(({ title }) => title);
    this.#home.tell({ event: 'knows', device: last.name, things });
  }

  /** Lamps obey what is said to the speaker, it is the speaker's device that commands them, and it says so. */
  async lamps(on: boolean): Promise<void> {
    const from = this.#told.length;
    const [kitchen, reading] = [this.#home.device('kitchen-lamp'), this.#home.device('reading-lamp')];
    const state = on ? 'on' : 'off';
    await say(this.#home, `lights ${state}`);
    await this.#home.until(
      () => kitchen.values.on === on && reading.values.on === on,
      `the lamps to be ${state}`,
    );
    await this.#commanded(from, 'speaker', 'Kitchen lamp');
    await this.#commanded(from, 'speaker', 'Reading lamp');
    await this.#commanded(from, 'speaker', 'Speaker', 'announce');
  }

  /** The door shows whom the camera sees, and opens for those who live here. */
  async visit(person: string): Promise<void> {
    const from = this.#told.length;
    const door = this.#home.device('door');
    await comeBy(this.#home, person);
    await this.#home.until(() => door.values.visitor === person, `the door to show ${person}`);
    await this.#commanded(from, 'camera', 'Door', 'show');
    await this.#commanded(from, 'camera', 'Door', 'unlock');
  }

  /** The room gets cold, and the thermostat heats. */
  async openWindow(): Promise<void> {
    const from = this.#told.length;
    const thermostat = this.#home.device('thermostat');
    await moveWindow(this.#home, 'open');
    await this.#home.until(() => thermostat.values.heating === true, 'the thermostat to heat');
    await this.#commanded(from, 'reading-lamp', 'Thermostat', 'measured');
    const closing = this.#told.length;
    await moveWindow(this.#home, 'closed');
    await this.#commanded(closing, 'reading-lamp', 'Room sensor', 'window');
  }

  /** A device switches the kitchen lamp. */
  async switchLamp(device: DemoDevice): Promise<void> {
    const from = this.#told.length;
    const lamp = this.#home.device('kitchen-lamp');
    await device.client.writeProperty(lamp.thing('Kitchen lamp'), 'on', true);
    await this.#home.until(() => lamp.values.on === true, 'the kitchen lamp to be on');
    await this.#commanded(from, device.name, 'Kitchen lamp');
  }

  /** Waits for the device's own word that its command to a Thing succeeded. */
  #commanded(from: number, device: string, thing: string, name = 'on'): Promise<void> {
    const isIt = (fact: Fact): boolean =>
      fact.event === 'command' &&
      fact.device === device &&
      fact.thing === thing &&
      fact.name === name &&
      fact.outcome === 'ok';
    return this.#home.until(
      () => this.#told.slice(from).some(isIt),
      `the ${device} to tell of its command to the ${thing}`,
    );
  }
}
