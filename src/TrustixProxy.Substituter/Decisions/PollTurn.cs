using TrustixProxy.Substituter.FrontDoor;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>The turn of a path to be decided on: for whom, and where it waits. <see cref="PollTurns"/> owns all of it.</summary>
internal sealed class PollTurn
{
    /// <summary>Who wants the decision.</summary>
    public HashSet<Requester> Requesters { get; } = [];

    /// <summary>Its places in the lines of those.</summary>
    public List<FairQueue<PollTurn>.Place> Waiting { get; } = [];

    /// <summary>Completes with whether the turn came; null while nobody waits for it.</summary>
    public TaskCompletionSource<bool>? Coming { get; set; }

    /// <summary>The place that it has taken; null without one.</summary>
    public FairQueue<PollTurn>.Place? Taken { get; set; }
}
