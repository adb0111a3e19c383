/* The lamp of lamp.js, under a title of its own. */
import { lamp } from './lamp.js';

export default lamp('Hall lamp');
