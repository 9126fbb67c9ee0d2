/** What agents announce, metrics carry and `meshward --version` prints. */
export const softwareVersion = '0.2.0';
