/** The owner of this partition of share-events tells of the mesh, and keeps what is known of peers. */
export const meshWriterPartition = 0;
