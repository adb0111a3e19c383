/**
 * What a peer offers to people who automate: it passes each question on to the file that answers it.
 * Relies on those files being loaded when first asked: they bring the languages of rules along, which take megabytes.
 */
import type { Activity } from '../../core/api-shapes.ts';
import { AlthingError } from '../../core/errors.ts';
import type { PeerId } from '../../core/ids.ts';
import type {
  AppliedRule,
  AppliedScene,
  DryRunInfo,
  PlaceInfo,
  RuleDocument,
  RuleInfo,
  SceneInfo,
  TraceInfo,
  WhyInfo,
} from '../../core/rule-shapes.ts';
import type { Cause } from '../../thing/scripting-api.ts';
import type { DeviceRules } from './device-rules.ts';
import type { Memories } from './memories.ts';
import type { RuleSurroundings } from './rule-editing.ts';
import type { NamedFabric, RuledFabric } from './rule-lookup.ts';
import type { RulesApi, SceneRequest } from './rules-api.ts';
import type { SceneUse } from './scenes.ts';

/** The fabric that runs now, as far as automation needs it. */
export interface RulesFabric extends NamedFabric {
  readonly rules: Pick<DeviceRules, 'ask' | 'host' | 'obeyedLately'>;
  readonly time: { timeMs(): number };
}

export interface RulesOptions {
  readonly fabric: () => RulesFabric;
  readonly use: SceneUse;
  readonly isOnline: (peer: PeerId) => boolean;
}

const defaultLimit = 50;

/** Automation, over one peer. */
export class Rules implements RulesApi {
  readonly #options: RulesOptions;

  constructor(options: RulesOptions) {
    this.#options = options;
  }

  async list(): Promise<RuleInfo[]> {
    const { ruleInfo } = await import('./rule-editing.ts');
    const fabric = this.#fabric;
    // Who sees a rule in the list may count on it.
    await fabric.rules.host.settled();
    return fabric.book.listed().map((known) => ruleInfo(fabric, known, this.#surroundings));
  }

  async show(rule: string): Promise<RuleDocument> {
    const { ruleNamed, ruleDocument } = await import('./rule-editing.ts');
    return ruleDocument(this.#fabric, ruleNamed(this.#fabric, rule), this.#surroundings);
  }

  async apply(yaml: string): Promise<AppliedRule[]> {
    const { applyRules } = await import('./rule-editing.ts');
    return applyRules(this.#fabric, yaml);
  }

  async remove(rule: string): Promise<void> {
    const { removeRule } = await import('./rule-editing.ts');
    await removeRule(this.#fabric, rule);
  }

  async setEnabled(rule: string, enabled: boolean): Promise<RuleInfo> {
    const { enableRule, ruleInfo } = await import('./rule-editing.ts');
    const known = await enableRule(this.#fabric, rule, enabled);
    return ruleInfo(this.#fabric, known, this.#surroundings);
  }

  async fire(rule: string, input?: unknown): Promise<{ firing: string }> {
    const { ruleNamed } = await import('./rule-editing.ts');
    const { key, notInForce } = ruleNamed(this.#fabric, rule);
    if (notInForce !== null)
      throw new AlthingError('rule-failed', `The rule "${key}" is not in force: ${notInForce}.`);
    return (await this.#fabric.rules.host.engine()).fire(key, input);
  }

  async test(rule: string, options: { trigger?: string; event?: unknown } = {}): Promise<DryRunInfo> {
    const [{ ruleNamed }, { dryRun }] = await Promise.all([
      import('./rule-editing.ts'),
      import('./dry-run.ts'),
    ]);
    const { replica, rules } = this.#fabric;
    const known = ruleNamed(this.#fabric, rule);
    return dryRun(rules.host.world(), { ...known, replica, cause: this.#options.use.newCause() }, options);
  }

  async trace(rule: string, options: { limit?: number } = {}): Promise<TraceInfo> {
    const { traceOf } = await import('./memories.ts');
    return traceOf(this.#memories, rule, options);
  }

  async why(thing: string): Promise<WhyInfo> {
    const { whyOf } = await import('./why.ts');
    return whyOf(this.#memories, thing, this.#fabric.time.timeMs());
  }

  async activity({ limit = defaultLimit }: { limit?: number } = {}): Promise<Activity[]> {
    const { keptActivity } = await import('./kept-activity.ts');
    const { rules } = this.#fabric;
    return keptActivity(rules.host.executions({ limit }), rules.obeyedLately(limit), limit);
  }

  async scenes(): Promise<SceneInfo[]> {
    const { scenesOf } = await import('./scenes.ts');
    return scenesOf(this.#fabric);
  }

  async saveScene(name: string, request: SceneRequest): Promise<SceneInfo> {
    const { saveScene } = await import('./scenes.ts');
    return saveScene(this.#fabric, name, request, this.#options.use);
  }

  async removeScene(scene: string): Promise<void> {
    const { removeScene } = await import('./scenes.ts');
    await removeScene(this.#fabric, scene);
  }

  async applyScene(scene: string, { cause }: { cause?: Cause } = {}): Promise<AppliedScene> {
    const { applyScene } = await import('./scenes.ts');
    const { connector, newCause } = this.#options.use;
    return applyScene(this.#fabric, scene, { connector, newCause: () => cause ?? newCause() });
  }

  async place(): Promise<PlaceInfo> {
    const { placeOf } = await import('./place.ts');
    return placeOf(this.#fabric);
  }

  async setPlace(place: Partial<PlaceInfo>): Promise<PlaceInfo> {
    const { setPlace } = await import('./place.ts');
    return setPlace(this.#fabric, place);
  }

  get #fabric(): RulesFabric & RuledFabric {
    const { replica, directory, rules, time } = this.#options.fabric();
    return { replica, directory, rules, time, book: rules.host.book };
  }

  get #memories(): Memories {
    const fabric = this.#fabric;
    return { fabric, ask: (peer, name, input, how) => fabric.rules.ask(peer, name, input, how) };
  }

  get #surroundings(): RuleSurroundings {
    const { host } = this.#fabric.rules;
    return { executions: (rule) => host.executions({ rule }), isOnline: this.#options.isOnline };
  }
}
