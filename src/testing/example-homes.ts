/**
 * The example homes in tests: their rules as a person finds them, their devices' scripts, and what these expose.
 * Relies on the folder `examples/`; scripts run in this process up to the moment at which their Thing is exposed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { slugOf } from '../core/ids.ts';
import type { ExposedThing } from '../thing/exposed-thing.ts';
import type { Wot } from '../thing/scripting-api.ts';
import type { PartialThingDescription, ThingDescription } from '../thing/thing-description.ts';
import { MemoryWot } from './memory-wot.ts';

const examples = new URL('../../examples/', import.meta.url);

/** The homes in `examples/rules/`, by the names of their files. */
export const exampleHomes: readonly string[] = readdirSync(new URL('rules/', examples)).sort();

/** A home's rules as they stand there: `motion-light.yaml`; those of the demo are `../home/rules.yaml`. */
export const exampleRules = (home: string): string =>
  readFileSync(new URL(home, new URL('rules/', examples)), 'utf8');

/** A device's script: `lamp.js`. */
export const exampleScript = (name: string): string => fileURLToPath(new URL(`home/${name}`, examples));

/** What all the devices of the examples expose, by the names that people call the Things by. */
export const exampleThings = async (): Promise<ReadonlyMap<string, ThingDescription>> => {
  const things = new Map<string, ThingDescription>();
  const scripts = readdirSync(new URL('home/', examples)).filter((name) => name.endsWith('.js'));
  for (const script of scripts) {
    const { default: run } = (await import(new URL(`home/${script}`, examples).href)) as {
      default: (wot: Wot) => Promise<void>;
    };
    const td = await exposedBy(run);
    things.set(slugOf(td.title), td);
  }
  return things;
};

/** The TD that a script exposes. What it does from then on, such as to measure every second, it does not get to. */
const exposedBy = (run: (wot: Wot) => Promise<void>): Promise<ThingDescription> =>
  new Promise((resolve, reject) => {
    const memory = new MemoryWot();
    const produceThere = memory.produce.bind(memory);
    const produce = async (td: PartialThingDescription): Promise<ExposedThing> => {
      const thing = await produceThere(td);
      const expose = thing.expose.bind(thing);
      thing.expose = async () => {
        await expose();
        resolve(thing.getThingDescription());
        await new Promise(() => {});
      };
      return thing;
    };
    run(Object.assign(memory, { produce })).catch(reject);
  });
