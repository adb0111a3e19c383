/**
 * Rules without a fabric: canned rules, executions and scenes, and a list of what was asked. For tests of what sits on a peer.
 * Relies on nothing but the seam.
 */
import type { Activity } from '../core/api-shapes.ts';
import { AlthingError } from '../core/errors.ts';
import type {
  AppliedRule,
  AppliedScene,
  DryRunInfo,
  ExecutionInfo,
  PlaceInfo,
  RuleDocument,
  RuleInfo,
  SceneInfo,
  TraceInfo,
  WhyInfo,
} from '../core/rule-shapes.ts';
import type { RulesApi, SceneRequest } from '../peer/rules/rules-api.ts';
import { atticId, hallId } from './fake-governance.ts';

const lamp = `urn:althing:${hallId}:lamp`;
const time = '2025-01-01T18:02:11.000Z';

export class FakeRules implements RulesApi {
  /** What was asked, in order. */
  readonly asked: unknown[] = [];
  readonly info: RuleInfo = {
    rule: 'hall-light-on-motion',
    name: 'Hall light on motion',
    description: null,
    enabled: true,
    mode: 'restart',
    author: hallId,
    ofMember: false,
    notInForce: null,
    changed: time,
    unresolved: ['stairs-motion'],
    watchedBy: [atticId],
    running: 1,
    lastFired: time,
  };
  readonly execution: ExecutionInfo = {
    firing: 'stream/hall-light-on-motion/0/x/1/2',
    rule: 'hall-light-on-motion',
    name: 'Hall light on motion',
    peer: atticId,
    started: time,
    ended: '2025-01-01T18:07:11.000Z',
    trigger: {
      kind: 'property',
      id: '0',
      thing: `urn:althing:${atticId}:hall-motion`,
      peer: null,
      name: 'motion',
      value: true,
      previous: false,
      goes: null,
    },
    chain: [],
    conditions: [
      {
        text: 'thing("hall-lux").illuminance < 50',
        result: 'true',
        values: [{ what: 'hall-lux.illuminance', value: 12, ageMs: null }],
        message: null,
      },
    ],
    steps: [
      {
        path: `0/t0:${lamp}/on`,
        time,
        what: 'done',
        thing: lamp,
        op: 'writeproperty',
        name: 'on',
        input: true,
        code: null,
      },
    ],
    outcome: 'done',
    message: null,
  };
  readonly scene: SceneInfo = {
    scene: 'evening',
    name: 'Evening',
    author: hallId,
    values: [{ thing: lamp, property: 'on', value: true }],
  };
  #place: PlaceInfo = { zone: 'Europe/Berlin', latitude: 52.5, longitude: 13.4 };

  async list(): Promise<RuleInfo[]> {
    return [this.info];
  }

  async show(rule: string): Promise<RuleDocument> {
    return { ...this.#known(rule), yaml: 'name: Hall light on motion\n' };
  }

  async apply(yaml: string): Promise<AppliedRule[]> {
    this.asked.push({ yaml });
    if (!yaml.startsWith('name:'))
      throw new AlthingError('rule-invalid', 'Line 3, column 5: it is wrong. (and 1 more)', {
        details: {
          problems: [
            { line: 3, column: 5, message: 'it is wrong' },
            { line: 9, column: 1, message: 'this too' },
          ],
        },
      });
    const { rule, name } = this.info;
    return [
      { rule, name, result: 'created', warnings: [{ line: 4, column: 7, message: 'no Thing "stairs" yet' }] },
    ];
  }

  async remove(rule: string): Promise<void> {
    this.#known(rule);
    this.asked.push({ remove: rule });
  }

  async setEnabled(rule: string, enabled: boolean): Promise<RuleInfo> {
    this.asked.push({ rule, enabled });
    return { ...this.#known(rule), enabled };
  }

  async fire(rule: string, input?: unknown): Promise<{ firing: string }> {
    this.#known(rule);
    this.asked.push({ fire: rule, ...(input !== undefined && { input }) });
    return { firing: `manual/${rule}/1` };
  }

  async test(rule: string, options: { trigger?: string; event?: unknown } = {}): Promise<DryRunInfo> {
    const { rule: key } = this.#known(rule);
    this.asked.push({ test: rule, ...options });
    const { trigger, conditions } = this.execution;
    return {
      rule: key,
      trigger,
      conditions,
      runs: true,
      steps: [{ path: '0', text: 'write on = true to Hall lamp' }],
      outcome: 'done',
      message: null,
    };
  }

  async trace(rule: string, options: { limit?: number } = {}): Promise<TraceInfo> {
    this.#known(rule);
    this.asked.push({ trace: rule, ...options });
    return {
      executions: [this.execution],
      unasked: [{ peer: hallId, name: 'hall', code: 'peer-offline' }],
      notAsked: 0,
    };
  }

  async why(thing: string): Promise<WhyInfo> {
    if (thing !== 'lamp') throw new AlthingError('thing-unknown', `There is no Thing "${thing}".`);
    return {
      thing: lamp,
      title: 'Lamp',
      commands: [],
      executions: [this.execution],
      unasked: [],
      sentences: ['Lamp was switched on.', 'It was dark.'],
    };
  }

  async activity({ limit = 50 }: { limit?: number } = {}): Promise<Activity[]> {
    this.asked.push({ limit });
    const command = { thing: lamp, op: 'writeproperty', name: 'on', outcome: 'ok', peer: atticId };
    return [
      { time, kind: 'obeyed', ...command, rule: this.info.rule },
      { time, kind: 'rule-ended', rule: this.info.rule, firing: this.execution.firing, outcome: 'done' },
    ];
  }

  async scenes(): Promise<SceneInfo[]> {
    return [this.scene];
  }

  async saveScene(name: string, request: SceneRequest): Promise<SceneInfo> {
    this.asked.push({ scene: name, ...request });
    return { ...this.scene, name };
  }

  async removeScene(scene: string): Promise<void> {
    this.#knownScene(scene);
    this.asked.push({ removeScene: scene });
  }

  async applyScene(scene: string): Promise<AppliedScene> {
    this.#knownScene(scene);
    return {
      scene: 'evening',
      results: [
        { thing: lamp, property: 'on', outcome: 'ok' },
        { thing: lamp, property: 'level', outcome: 'peer-offline' },
      ],
    };
  }

  async place(): Promise<PlaceInfo> {
    return this.#place;
  }

  async setPlace(place: Partial<PlaceInfo>): Promise<PlaceInfo> {
    this.asked.push(place);
    this.#place = { ...this.#place, ...place };
    return this.#place;
  }

  #known(rule: string): RuleInfo {
    if (rule === this.info.rule || rule === this.info.name) return this.info;
    throw new AlthingError('rule-unknown', `There is no rule "${rule}".`);
  }

  #knownScene(scene: string): void {
    if (scene.toLowerCase() !== 'evening')
      throw new AlthingError('scene-unknown', `There is no scene "${scene}".`);
  }
}
