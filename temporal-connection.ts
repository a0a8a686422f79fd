/**
 * How Temporal is reached: by the variables TEMPORAL_* and the profile of the CLI's temporal.toml, as every Temporal tool reads
 * them. Worker, ringer, command line and the servers of our own use this one way.
 */
import type { ConnectionOptions } from '@temporalio/client';
import { loadClientConfigProfile, toClientOptions, type ClientConfigProfile } from '@temporalio/envconfig';

/** Address, namespace, and where certificates and key are. May hold an API key: never log it. */
export type TemporalProfile = ClientConfigProfile;

/**
 * The profile of this environment; variables go before the file, and an empty one counts as absent. Certificates are not read yet.
 * Throws where the file cannot be read.
 */
export function temporalProfile(environment: Readonly<Record<string, string | undefined>>): TemporalProfile {
  const given = Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => filled(entry[1])),
  );
  // The file's usual place is below the home directory, and a service may have none.
  const homeless = given['HOME'] === undefined && given['TEMPORAL_CONFIG_FILE'] === undefined;
  return loadClientConfigProfile({ overrideEnvVars: given, disableFile: homeless });
}

/** What both kinds of connection take, a client's and a worker's. */
export type TemporalConnection = Pick<ConnectionOptions, 'tls' | 'metadata'> & {
  address: string;
  apiKey?: string;
};

/** What a client or worker connects by, TLS and API key included. Throws where a certificate cannot be read. */
export function temporalConnection(profile: TemporalProfile, defaultAddress: string): TemporalConnection {
  const { address, apiKey, tls, metadata } = toClientOptions(profile).connectionOptions;
  return {
    address: filled(address) ? address : defaultAddress,
    // Left out where absent: the client refuses keys that are there but undefined.
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(tls === undefined ? {} : { tls }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

function filled(text: string | undefined): text is string {
  return text !== undefined && text.trim() !== '';
}
