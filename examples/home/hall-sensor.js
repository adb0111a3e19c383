/* The sensor of motion-sensor.js, under a title of its own. */
import { motionSensor } from './motion-sensor.js';

export default motionSensor('Hall sensor');
