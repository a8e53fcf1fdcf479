using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.LogNode.Witnessing;

/// <summary>What a witness answered to a checkpoint.</summary>
internal abstract record WitnessAnswer
{
    private WitnessAnswer()
    {
    }

    /// <summary>The witness cosigned; its signature is verified.</summary>
    public sealed record Cosigned(NoteSignature Signature) : WitnessAnswer;

    /// <summary>The proof does not lead from what the witness knows to what was offered (HTTP 422). Nobody signs this answer.</summary>
    public sealed record Refutes : WitnessAnswer;

    /// <summary>The witness knows another size than the request began at (HTTP 409). Nobody signs this answer.</summary>
    public sealed record KnowsSize(long Size) : WitnessAnswer;

    /// <summary>The witness showed a checkpoint that the log's key has signed.</summary>
    /// <param name="Note">The checkpoint as a note.</param>
    /// <param name="Checkpoint">The checkpoint.</param>
    public sealed record Shows(SignedNote Note, Checkpoint Checkpoint) : WitnessAnswer;

    /// <summary>There is no cosignature.</summary>
    /// <param name="Reason">Why, for a message: <c>HTTP 403</c>.</param>
    public sealed record Failed(string Reason) : WitnessAnswer;
}
