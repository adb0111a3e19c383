/**
 * What people do in the demo's home: speak to the speaker, come to the door, open the window.
 * Relies on the gateway of the device that they do it at; what follows from it is the rules' doing.
 */
import type { DemoHome } from './demo-home.ts';

/** Somebody says a sentence to the speaker, who answers when it is done. Throws what the speaker's gateway answers. */
export const say = async (home: DemoHome, text: string): Promise<void> => {
  const speaker = home.device('speaker');
  home.tell({ event: 'said', to: speaker.name, text });
  await speaker.client.invokeAction(speaker.thing('Speaker'), 'say', text);
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
