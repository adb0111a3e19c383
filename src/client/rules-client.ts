/**
 * The part of the client about automation: rules, what they did and why, scenes, the place; a method a route.
 * Relies on the client that makes it for the exchange itself.
 */
import type { Activity } from '../core/api-shapes.ts';
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
} from '../core/rule-shapes.ts';

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';
/** One exchange with the gateway. Throws what it answers. */
export type RuleExchange = (method: Method, path: string, body?: unknown) => Promise<unknown>;

/** Automates the fabric of a gateway; rules, scenes and Things by name or key. Throws as `GatewayClient` does. */
export class RulesClient {
  readonly #exchange: RuleExchange;

  constructor(exchange: RuleExchange) {
    this.#exchange = exchange;
  }

  list(): Promise<RuleInfo[]> {
    return this.#ask('GET', '/rules');
  }

  /** Throws `rule-unknown`. */
  show(rule: string): Promise<RuleDocument> {
    return this.#ask('GET', pathOf('rules', rule));
  }

  /** Every rule of a YAML text, all or none. Throws `rule-invalid` with `details.problems`, `not-admin`. */
  apply(yaml: string): Promise<AppliedRule[]> {
    return this.#ask('PUT', '/rules', { yaml });
  }

  /** Throws `rule-unknown`, `not-admin`. */
  async remove(rule: string): Promise<void> {
    await this.#ask('DELETE', pathOf('rules', rule));
  }

  /** Throws `rule-unknown`, `not-admin`. */
  setEnabled(rule: string, enabled: boolean): Promise<RuleInfo> {
    return this.#ask('PUT', pathOf('rules', rule, 'enabled'), { enabled });
  }

  /** Throws `rule-unknown`, `rule-failed`. */
  fire(rule: string, input?: unknown): Promise<{ firing: string }> {
    return this.#ask('POST', pathOf('rules', rule, 'firings'), input === undefined ? {} : { input });
  }

  /** What the rule would do now. Throws `rule-unknown`, `bad-input`. */
  test(rule: string, options: { trigger?: string; event?: unknown } = {}): Promise<DryRunInfo> {
    return this.#ask('POST', pathOf('rules', rule, 'test'), options);
  }

  /** Throws `rule-unknown`. */
  trace(rule: string, { limit }: { limit?: number } = {}): Promise<TraceInfo> {
    return this.#ask('GET', pathOf('rules', rule, 'executions') + limitOf(limit));
  }

  /** Throws `thing-unknown`, `name-ambiguous`. */
  why(thing: string): Promise<WhyInfo> {
    return this.#ask('GET', pathOf('why', thing));
  }

  /** What is kept at the peer of rules that ran and commands that were obeyed, newest last. */
  activity({ limit }: { limit?: number } = {}): Promise<Activity[]> {
    return this.#ask('GET', `/activity/kept${limitOf(limit)}`);
  }

  scenes(): Promise<SceneInfo[]> {
    return this.#ask('GET', '/scenes');
  }

  /** Throws `thing-unknown`, `bad-input`, `not-admin`. */
  saveScene(name: string, request: { room?: string; things?: readonly string[] }): Promise<SceneInfo> {
    return this.#ask('PUT', pathOf('scenes', name), request);
  }

  /** Throws `scene-unknown`, `not-admin`. */
  async removeScene(scene: string): Promise<void> {
    await this.#ask('DELETE', pathOf('scenes', scene));
  }

  /** Throws `scene-unknown`. */
  applyScene(scene: string): Promise<AppliedScene> {
    return this.#ask('POST', pathOf('scenes', scene, 'apply'));
  }

  place(): Promise<PlaceInfo> {
    return this.#ask('GET', '/place');
  }

  /** What is left out stays. Throws `bad-input`, `not-admin`. */
  setPlace(place: Partial<PlaceInfo>): Promise<PlaceInfo> {
    return this.#ask('PUT', '/place', place);
  }

  async #ask<T>(method: Method, path: string, body?: unknown): Promise<T> {
    return (await this.#exchange(method, path, body)) as T;
  }
}

const pathOf = (...segments: string[]): string => `/${segments.map(encodeURIComponent).join('/')}`;

const limitOf = (limit: number | undefined): string => (limit === undefined ? '' : `?limit=${limit}`);
