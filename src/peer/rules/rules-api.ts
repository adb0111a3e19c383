/**
 * What a running peer offers to people who automate: rules, what they did and why, scenes, the place of the fabric.
 * Relies on the shapes of `core/`; rules and scenes are addressed by their key or name.
 */
import type { Activity } from '../../core/api-shapes.ts';
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

/** Which values a scene takes: of these Things, of those in a room, or of both. */
export interface SceneRequest {
  readonly room?: string;
  readonly things?: readonly string[];
}

/**
 * All that changes something throws `not-admin` where this peer is none, and the store's codes; rules may also be made,
 * removed and switched by a member whom a grant lets, its own.
 */
export interface RulesApi {
  list(): Promise<RuleInfo[]>;
  /** Throws `rule-unknown`. */
  show(rule: string): Promise<RuleDocument>;
  /** Every rule of a YAML text, all or none. Throws `rule-invalid` with `details.problems`; for a member `too-many`, `value-too-large`. */
  apply(yaml: string): Promise<AppliedRule[]>;
  /** Throws `rule-unknown`. */
  remove(rule: string): Promise<void>;
  /** Throws `rule-unknown`, and `forbidden` for a member's rule at an admin, who can only remove it. */
  setEnabled(rule: string, enabled: boolean): Promise<RuleInfo>;
  /** Fires a rule by hand at this peer; `input` is its `trigger.event`. Any member may. Throws `rule-unknown`, `rule-failed`. */
  fire(rule: string, input?: unknown): Promise<{ firing: string }>;
  /** What the rule would do now. `event`: the trigger's data. Commands nothing. Throws `rule-unknown`, `bad-input`. */
  test(rule: string, options?: { trigger?: string; event?: unknown }): Promise<DryRunInfo>;
  /** Throws `rule-unknown` for a rule that neither is nor left a trace. */
  trace(rule: string, options?: { limit?: number }): Promise<TraceInfo>;
  /** Throws `thing-unknown`, `name-ambiguous`. */
  why(thing: string): Promise<WhyInfo>;
  /** What is kept here of rules that ran and commands that were obeyed, newest last, at most `limit` (default 50). */
  activity(options?: { limit?: number }): Promise<Activity[]>;
  scenes(): Promise<SceneInfo[]>;
  /** Reads the values as they are now and keeps them under this name. Throws `bad-input`, `thing-unknown`. */
  saveScene(name: string, request: SceneRequest): Promise<SceneInfo>;
  /** Throws `scene-unknown`. */
  removeScene(scene: string): Promise<void>;
  /** Any member may. `cause`: who began it, where that was not this program. Throws `scene-unknown`. */
  applyScene(scene: string, options?: { cause?: Cause }): Promise<AppliedScene>;
  /** Where nobody has said: this machine's time zone, and no coordinates. */
  place(): Promise<PlaceInfo>;
  /** What is left out stays. Throws `bad-input`. */
  setPlace(place: Partial<PlaceInfo>): Promise<PlaceInfo>;
}
