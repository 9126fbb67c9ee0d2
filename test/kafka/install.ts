/** Installs the real Apache Kafka that tests talk to into `.tools/` (not committed). Run by itself: `node test/kafka/install.ts`. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
export const kafkaVersion = '4.4.0';
const toolsFolder = join(dirname(fileURLToPath(import.meta.url)), '../../.tools');

/** @returns the class path of a broker; installs it first where it is missing (ten seconds; Java 17 or newer and Maven are needed). */
export async function installKafka(): Promise<string> {
  const folder = join(toolsFolder, `kafka-${kafkaVersion}`);
  const classPath = join(folder, 'libs', '*');
  if (await isThere(folder)) return classPath;
  // Made beside and renamed, so that two at once cannot see half of it.
  const beside = `${folder}.${randomBytes(4).toString('hex')}`;
  await mkdir(beside, { recursive: true });
  try {
    await writeFile(join(beside, 'pom.xml'), pom);
    const goal = ['-q', '-B', 'dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=libs'];
    await run('mvn', goal, { cwd: beside, timeout: 600_000 });
    await rename(beside, folder);
  } catch (error) {
    await rm(beside, { recursive: true, force: true });
    if (!(await isThere(folder))) throw error;
  }
  return classPath;
}

// Without a binding of slf4j the broker logs nothing at all, not even why it does not start.
const pom = `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>meshward.test</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${kafkaVersion}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>2.25.5</version>
    </dependency>
  </dependencies>
</project>
`;

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await installKafka());
