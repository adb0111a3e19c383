/**
 * What people do in the demo's home: speak to the speaker, come to the door, open the window.
 * Relies on the gateway of the device that they do it at; what follows from it is the devices' own doing.
 */
import type { DemoHome } from './demo-home.ts';

/** Somebody says a sentence to the speaker; resolves with its answer. Throws what the speaker's gateway answers. */
export const say = async (home: DemoHome, text: string): Promise<string> => {
  const speaker = home.device('speaker');
  const thing = speaker.thing('Speaker');
  home.tell({ event: 'said', to: speaker.name, text });
  const answer = String(await speaker.client.invokeAction(thing, 'say', text));
  home.tell({ event: 'answered', device: speaker.name, text: answer });
  return answer;
};

/** Somebody stands before the camera. Throws what the camera's gateway answers. */
export const comeBy = async (home: DemoHome, person: string): Promise<void> => {
  const camera = home.device('camera');
  await camera.client.invokeAction(camera.thing('Camera'), 'pretend', person);
};

/** Somebody opens or closes the window by the sensor. Throws what the sensor's gateway answers. */
export const moveWindow = async (home: DemoHome, state: 'open' | 'closed'): Promise<void> => {
  const box = home.device('reading-lamp');
  await box.client.writeProperty(box.thing('Room sensor'), 'window', state);
};
