package ec2test

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// ecsTarget begins the X-Amz-Target header of every question to ECS.
const ecsTarget = "AmazonEC2ContainerServiceV20141113."

// ecsInput is any question to ECS: its protocol is AWS JSON 1.1.
type ecsInput struct {
	Cluster, TaskDefinition, DesiredStatus, NextToken string

	Clusters, Services, Tasks, ContainerInstances, Include []string

	MaxResults *int
}

// readECS understands a question to ECS as far as the signature.
func (q *query) readECS(r *http.Request, body []byte) *answer {
	action, ours := strings.CutPrefix(r.Header.Get("X-Amz-Target"), ecsTarget)
	if !ours {
		return q.fail(http.StatusBadRequest, "UnknownOperationException", "")
	}
	q.form = map[string][]string{"Action": {action}}
	if err := json.Unmarshal(body, &q.ecs); err != nil {
		return q.fail(http.StatusBadRequest, "SerializationException", err.Error())
	}
	if q.ecs.MaxResults != nil {
		q.form.Set("MaxResults", strconv.Itoa(*q.ecs.MaxResults))
	}
	q.form.Set("NextToken", q.ecs.NextToken)
	return nil
}

// jsonError is an error of AWS JSON 1.1.
type jsonError struct {
	Type    string `json:"__type"`
	Message string `json:"message"`
}

func renderJSON(document any) *answer {
	b, err := json.Marshal(document)
	if err != nil {
		panic(err) // a type of ours that JSON does not have
	}
	return &answer{status: http.StatusOK, body: string(b), json: true}
}

func (q *query) failJSON(status int, code, message string) *answer {
	a := renderJSON(jsonError{code, message})
	a.status = status
	return a
}

func (q *query) invalid(message string) *answer {
	return q.fail(http.StatusBadRequest, "InvalidParameterException", message)
}

// answerECS does what ECS is asked.
func (s *Server) answerECS(q *query) *answer {
	switch q.form.Get("Action") {
	case "ListClusters":
		return s.listClusters(q)
	case "DescribeClusters":
		return s.describeClusters(q)
	case "DescribeTaskDefinition":
		return s.describeTaskDefinition(q)
	}
	cluster, failed := s.clusterOf(q)
	if failed != nil {
		return failed
	}
	switch q.form.Get("Action") {
	case "ListTasks":
		return s.listTasks(q, cluster)
	case "DescribeTasks":
		return s.describeTasks(q, cluster)
	case "DescribeServices":
		return s.describeServices(q, cluster)
	case "DescribeContainerInstances":
		return s.describeContainerInstances(q, cluster)
	}
	return q.fail(http.StatusBadRequest, "UnknownOperationException", "")
}

// clusterOf finds the cluster that is asked about; without a name that is the
// one named default.
func (s *Server) clusterOf(q *query) (*Cluster, *answer) {
	c := s.findCluster(q, cmp.Or(q.ecs.Cluster, "default"))
	switch {
	case c == nil:
		return nil, q.fail(http.StatusBadRequest, "ClusterNotFoundException", "Cluster not found.")
	case c.Status == "INACTIVE":
		return nil, q.fail(http.StatusBadRequest, "ClusterNotFoundException", "The referenced cluster was inactive.")
	}
	return c, nil
}

// cutARNs returns a page of sorted names, and the token of the next.
func (q *query) cutARNs(all []string) (page []string, next string, failed *answer) {
	size, number := 100, 1
	if q.ecs.MaxResults != nil {
		size = *q.ecs.MaxResults
	}
	if size < 1 || size > 100 {
		return nil, "", q.invalid("maxResults must be between 1 and 100.")
	}
	slices.Sort(all)
	if q.token != nil {
		if q.token.Page < 2 || q.token.Filters != q.ecs.Cluster {
			return nil, "", q.invalid("Invalid token")
		}
		number = q.token.Page
		all = slices.DeleteFunc(all, func(name string) bool { return name <= q.token.After })
	}
	if len(all) > size {
		all = all[:size]
		next = pageToken{After: all[size-1], Page: number + 1, Filters: q.ecs.Cluster}.String()
	}
	return append([]string{}, all...), next, nil
}

// failure is a thing that could not be described.
type failure struct {
	ARN    string `json:"arn"`
	Reason string `json:"reason"`
}

// described finds what is asked for by name or ARN. What is not there is a
// failure of its own, and none of the answer's.
func described[T, D any](asked []string, prefix string, find func(arn string) (T, bool), show func(T) D) (found []D, missing []failure) {
	found, missing = []D{}, []failure{}
	for _, name := range asked {
		arn := name
		if !strings.HasPrefix(name, "arn:") {
			arn = prefix + name
		}
		if t, ok := find(arn); ok {
			found = append(found, show(t))
		} else {
			missing = append(missing, failure{arn, "MISSING"})
		}
	}
	return found, missing
}

// tags asks whether the answer has tags in it: only where they were asked for.
func (q *query) tags(tags map[string]string) []ecsTag {
	list := []ecsTag{}
	if !slices.Contains(q.ecs.Include, "TAGS") {
		return list
	}
	for k, v := range tags {
		list = append(list, ecsTag{k, v})
	}
	slices.SortFunc(list, func(a, b ecsTag) int { return cmp.Compare(a.Key, b.Key) })
	return list
}

type ecsTag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}
