/** The package says what its default is in a way that bundlers of modules read differently. */
import * as scrollbars from '../node_modules/react-custom-scrollbars-2/lib/index.js';

export default scrollbars.Scrollbars ?? scrollbars.default?.Scrollbars;
