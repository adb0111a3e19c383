/**
 * The state of one execution of a rule, the events that move it and the effects that it asks for: all plain data.
 * Relies on nothing; `run.ts` is the machine.
 *
 * Paths name steps: `2` is the third, `2/c1/0` the first of its second choice (`ce`: else), `3/r4/1` the second of
 * the fifth round, `4/p0/2` of the first parallel list, `5/f/0` of the steps on failure. A command adds the number of
 * its try, its Thing and affordance: `2/t1:urn:althing:z6Mk...:lamp/on`. That is what its device remembers it by.
 */
import type { TriggerData } from './expression.ts';
import type { FiringId } from './placement.ts';
import type { RuleMode, Selection, Step } from './rule.ts';

/** What a device is asked to do. */
export interface Command {
  readonly thing: string;
  readonly op: 'writeproperty' | 'invokeaction';
  readonly name: string;
  readonly input?: unknown;
}

/** A firing that is to be executed. `clock`: hybrid clock, the same for all its steps. */
export interface RunStart {
  /** Slug of the rule. */
  readonly rule: string;
  readonly firing: FiringId;
  readonly mode: RuleMode;
  readonly clock: number;
  readonly trigger: TriggerData;
  /** As they are now: a rule that is changed while it runs is changed for the next firing. */
  readonly steps: readonly Step[];
}

/** `idle`: not yet its turn; `pausing`: between tries; `asking`: its answer was lost, the device is asked. */
export type CommandPhase = 'idle' | 'sent' | 'pausing' | 'asking' | 'done' | 'failed' | 'unknown';

export interface CommandState {
  readonly command: Command;
  phase: CommandPhase;
  tries: number;
  untilMs?: number;
  code?: string;
}

/** Where a list of steps stands; `step` is absent before its current step has begun. */
export interface ListState {
  at: number;
  step?: StepState;
}

export type StepState =
  | { kind: 'value' }
  | { kind: 'select'; input?: unknown }
  | { kind: 'commands'; any: boolean; commands: CommandState[] }
  | { kind: 'set'; value: unknown; untilMs: number }
  | { kind: 'delay'; untilMs: number }
  | { kind: 'wait'; untilMs: number }
  | { kind: 'choose'; branch: number; list?: ListState }
  | { kind: 'repeat'; round: number; list?: ListState }
  | { kind: 'parallel'; lists: (ListState | null)[]; failed?: Failure }
  | { kind: 'failure'; list: ListState };

/** Why a step, and by that perhaps the run, failed. */
export interface Failure {
  readonly path: string;
  readonly code: string;
  readonly message?: string;
}

/** One line of what was done, for `why` and `trace`. */
export interface RunLogEntry {
  readonly path: string;
  readonly atMs: number;
  readonly what: 'done' | 'failed' | 'unknown' | 'continued' | 'timeout' | 'chosen' | 'round';
  readonly command?: Command;
  readonly code?: string;
}

/** `lost`: its peer was away when something was due; `superseded`: a device has seen a newer run (mode restart). */
export type RunEnd =
  | { readonly outcome: 'done' }
  | { readonly outcome: 'stopped'; readonly reason: string }
  | { readonly outcome: 'failed'; readonly failure: Failure }
  | { readonly outcome: 'cancelled'; readonly reason: string }
  | { readonly outcome: 'superseded' }
  | { readonly outcome: 'lost'; readonly path: string; readonly dueMs: number };

/** Everything about a run; make it durable before its effects are carried out. */
export interface RunState {
  readonly version: 1;
  readonly start: RunStart;
  readonly startedMs: number;
  /** When it was moved last; absent in what older versions kept. */
  movedMs?: number;
  list: ListState;
  /** Steps begun and commands given so far; both are bounded. */
  begun: number;
  commanded: number;
  log: RunLogEntry[];
  end?: RunEnd;
}

/** What happens to a run. `path` is the effect's that it answers. */
export type RunEvent = { readonly nowMs: number } & (
  | {
      readonly type: 'evaluated';
      readonly path: string;
      readonly result:
        | { readonly value: unknown }
        | { readonly unknown: string }
        | { readonly error: string };
    }
  /** The Things that fit (for `any` the nearest first), or a scene's values; `missing` where there is no such scene. */
  | {
      readonly type: 'selected';
      readonly path: string;
      readonly commands: readonly Command[];
      readonly missing?: true;
    }
  | {
      readonly type: 'outcome';
      readonly path: string;
      readonly outcome:
        | { readonly kind: 'done' }
        | { readonly kind: 'failed'; readonly code: string }
        /** The answer was lost: the device will be asked. */
        | { readonly kind: 'unknown' }
        | { readonly kind: 'superseded' };
    }
  /** A device's answer about a command; `unknown`: it does not know either (`begun` without an end, `forgotten`). */
  | {
      readonly type: 'answered';
      readonly path: string;
      readonly answer: 'done' | 'not-seen' | 'unknown' | { readonly failed: string };
    }
  | { readonly type: 'occurred'; readonly path: string }
  | { readonly type: 'time' }
  /** After a restart; what was due more than `graceMs` ago makes the run `lost`. */
  | { readonly type: 'resume'; readonly graceMs: number }
  | { readonly type: 'cancel'; readonly reason: string }
);

/** What the engine does, after the state is durable. */
export type RunEffect =
  | { readonly type: 'evaluate'; readonly path: string; readonly cel: string }
  | { readonly type: 'select'; readonly path: string; readonly step: SelectRequest }
  | {
      readonly type: 'command';
      readonly path: string;
      readonly command: Command;
      readonly deadlineMs: number;
    }
  /** Nothing waits for the answer any more after `untilMs`. */
  | { readonly type: 'ask'; readonly path: string; readonly command: Command; readonly untilMs: number }
  | { readonly type: 'set'; readonly path: string; readonly name: string; readonly value: unknown }
  /**
   * Evaluate on every change of what the expression uses, and say `evaluated`; or await the event, say `occurred`.
   * Nothing waits for it any more after `untilMs`.
   */
  | {
      readonly type: 'watch';
      readonly path: string;
      readonly untilMs: number;
      readonly wait:
        | { readonly until: string }
        | { readonly event: { readonly thing: string; readonly name: string } };
    }
  /** The earliest time that the run waits for: replaces the timer that it had. */
  | { readonly type: 'timer'; readonly atMs: number }
  | { readonly type: 'finished'; readonly end: RunEnd };

/** Commands that depend on what there is now: Things by what they are, or the values of a scene. */
export type SelectRequest =
  | {
      readonly selection: Selection;
      readonly nearestFirst: boolean;
      readonly op: Command['op'];
      readonly name: string;
      readonly input?: unknown;
    }
  | { readonly scene: string };
