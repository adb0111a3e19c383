/**
 * Scenes: values of Things under a name, read as they are, applied together. One `scene` record each, of admins.
 * Relies on the replica for the records and on a connector for reading and writing. Loaded when it is used.
 */
import { AlthingError, toAlthingError } from '../../core/errors.ts';
import type { AppliedScene, SceneInfo } from '../../core/rule-shapes.ts';
import { parseScene, ruleLimits } from '../../rules/rule.ts';
import type { ThingConnector } from '../../thing/operations.ts';
import type { Cause } from '../../thing/scripting-api.ts';
import type { DataSchema, ThingDescription } from '../../thing/thing-description.ts';
import type { BookScene } from './rule-book.ts';
import { ruleKeyOf } from './rule-key.ts';
import { type RuledFabric, requireAdmin } from './rule-lookup.ts';
import type { SceneRequest } from './rules-api.ts';

/** How Things are used for a scene. */
export interface SceneUse {
  readonly connector: ThingConnector;
  readonly newCause: () => Cause;
}

const timeoutMs = 5000;
const maxNameLength = 100;

/** The scenes. */
export const scenesOf = ({ book }: RuledFabric): SceneInfo[] => book.scenes().map(sceneInfo);

const sceneInfo = ({ key, scene, author }: BookScene): SceneInfo => ({
  scene: key,
  name: scene.name,
  author,
  values: scene.values.map((value) => ({ ...value })),
});

/** A scene by its key or name. Throws `scene-unknown`. */
const sceneNamed = ({ book }: RuledFabric, name: string): BookScene => {
  const known = book.scene(name) ?? book.scene(ruleKeyOf(name));
  if (known) return known;
  throw new AlthingError('scene-unknown', `There is no scene "${name}".`);
};

/**
 * Reads what can be read and written of these Things and keeps it. Throws `not-admin`, `bad-input`, `thing-unknown`,
 * `name-ambiguous`, and what a device answers that cannot be read now.
 */
export const saveScene = async (
  fabric: RuledFabric,
  name: string,
  { room, things = [] }: SceneRequest,
  { connector, newCause }: SceneUse,
): Promise<SceneInfo> => {
  const { directory, replica } = fabric;
  requireAdmin(replica, 'makes scenes');
  if (name.trim() === '' || name.length > maxNameLength)
    throw new AlthingError('bad-input', `A scene's name has 1 to ${maxNameLength} characters.`);
  if (room === undefined && things.length === 0)
    throw new AlthingError('bad-input', 'Say of which Things, or of which room.');
  const tds = new Map(things.map((thing) => directory.resolve(thing)).map((td) => [td.id, td]));
  if (room !== undefined) for (const td of directory.find({ room })) tds.set(td.id, td);
  const wanted = [...tds.values()].flatMap((td) => lasting(td).map((property) => ({ td, property })));
  if (wanted.length === 0)
    throw new AlthingError('bad-input', 'None of these Things has a property that can be read and written.');
  if (wanted.length > ruleLimits.sceneValues)
    throw new AlthingError(
      'bad-input',
      `A scene holds at most ${ruleLimits.sceneValues} values, and these Things have ${wanted.length}: name fewer.`,
    );
  const cause = newCause();
  const values = await Promise.all(
    wanted.map(async ({ td, property }) => ({
      thing: td.id,
      property,
      value: await connector.request(
        { thing: td.id, op: 'readproperty', name: property },
        { timeoutMs, cause },
      ),
    })),
  );
  const scene = parseScene({ name, values });
  if (!scene)
    throw new AlthingError('bad-input', 'The values of these Things are too large for a scene: name fewer.');
  const key = ruleKeyOf(name);
  await replica.write(() => [{ collection: 'scene', key, value: scene }]);
  return sceneInfo({ key, scene, author: replica.self });
};

/** The properties that a scene can bring back. */
const lasting = ({ properties = {} }: ThingDescription): string[] =>
  Object.entries(properties)
    .filter(([, property]) => {
      const { readOnly, writeOnly, uriVariables, forms } = property as DataSchema & {
        readonly uriVariables?: unknown;
        readonly forms?: readonly { readonly contentType?: string }[];
      };
      const isBinary = forms?.some(({ contentType = 'application/json' }) => !/json/.test(contentType));
      return readOnly !== true && writeOnly !== true && uriVariables === undefined && !isBinary;
    })
    .map(([name]) => name);

/** Throws `not-admin`, `scene-unknown`. */
export const removeScene = async (fabric: RuledFabric, name: string): Promise<void> => {
  requireAdmin(fabric.replica, 'removes scenes');
  const { key } = sceneNamed(fabric, name);
  await fabric.replica.write(() => [{ collection: 'scene', key, value: null, deleted: true }]);
};

/** Writes all values at once and says what became of each. Throws `scene-unknown`. */
export const applyScene = async (
  fabric: RuledFabric,
  name: string,
  { connector, newCause }: SceneUse,
): Promise<AppliedScene> => {
  const { key, scene } = sceneNamed(fabric, name);
  const cause = newCause();
  const results = await Promise.all(
    scene.values.map(async ({ thing, property, value }) => {
      try {
        await connector.request(
          { thing, op: 'writeproperty', name: property, input: value },
          { timeoutMs, cause },
        );
        return { thing, property, outcome: 'ok' };
      } catch (thrown) {
        return { thing, property, outcome: toAlthingError(thrown).code as string };
      }
    }),
  );
  return { scene: key, results };
};
