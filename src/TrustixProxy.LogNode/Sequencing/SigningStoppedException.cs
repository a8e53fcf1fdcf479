namespace TrustixProxy.LogNode.Sequencing;

/// <summary>The log accepts nothing, since its state may be an old copy.</summary>
/// <param name="message">Why, and what to do.</param>
internal sealed class SigningStoppedException(string message) : Exception(message);
